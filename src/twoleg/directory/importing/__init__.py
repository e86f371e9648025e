"""Files that clients send: kept, taken in row by row with progress, and reported."""
