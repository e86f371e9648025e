"""The audio of browsers: ICE, DTLS and SRTP between a leg's socket and its RTP (RFC 8834)."""
