// A phone of the fewest lines: registers, answers what rings, holds, hangs up (RFC 7118, RFC 8829).
"use strict";

const token = () => crypto.randomUUID().slice(0, 8);

class Message {
  constructor(text) {
    const end = text.indexOf("\r\n\r\n");
    const [first, ...lines] = text.slice(0, end).split("\r\n");
    this.first = first;
    this.body = text.slice(end + 4);
    this.headers = lines.map((line) => [
      line.slice(0, line.indexOf(":")).toLowerCase(), line.slice(line.indexOf(":") + 1).trim()]);
    this.status = first.startsWith("SIP/2.0") ? Number(first.split(" ")[1]) : null;
    this.method = this.status === null ? first.split(" ")[0] : this.get("cseq").split(" ")[1];
  }
  get(name) { return this.all(name)[0]; }
  all(name) { return this.headers.filter(([each]) => each === name).map(([, value]) => value); }
}

class Phone {
  constructor(url, username, password, domain, codec) {
    Object.assign(this, { username, password, codec });
    this.domain = domain;
    this.name = `<sip:${username}@${domain}>`;
    this.host = `${token()}.invalid`;
    this.contact = `<sip:${token()}@${this.host};transport=ws>`;
    this.socket = new WebSocket(url, "sip");
    this.opened = new Promise((resolve) => { this.socket.onopen = resolve; });
    this.socket.onmessage = ({ data }) => this.receive(new Message(data));
    this.responses = [];
    this.events = [];
    this.sequence = 1;
  }

  send(first, headers, body = "") {
    const type = body ? ["Content-Type: application/sdp"] : [];
    this.socket.send([first, ...headers, ...type, "", body].join("\r\n"));
  }

  via() { return `Via: SIP/2.0/WS ${this.host};branch=z9hG4bK${token()}`; }

  async register() {
    await this.opened;
    const callId = token(), tag = token(), uri = `sip:${this.domain}`;
    let authorization = [];
    for (let number = 1; ; number++) {
      this.send(`REGISTER ${uri} SIP/2.0`, [
        this.via(), "Max-Forwards: 70", `From: ${this.name};tag=${tag}`, `To: ${this.name}`,
        `Call-ID: ${callId}`, `CSeq: ${number} REGISTER`, `Contact: ${this.contact};expires=600`,
        ...authorization]);
      const response = await this.response();
      if (response.status !== 401 || number > 1) return response.status;
      const challenge = response.all("www-authenticate").find((each) => !/SHA-256/.test(each));
      const part = (name) => new RegExp(`\\b${name}="([^"]*)"`).exec(challenge)[1];
      const ha1 = md5(`${this.username}:${part("realm")}:${this.password}`);
      const ha2 = md5(`REGISTER:${uri}`), cnonce = token();
      const digest = md5(`${ha1}:${part("nonce")}:00000001:${cnonce}:auth:${ha2}`);
      authorization = [
        `Authorization: Digest username="${this.username}", realm="${part("realm")}", ` +
        `nonce="${part("nonce")}", uri="${uri}", response="${digest}", algorithm=MD5, ` +
        `cnonce="${cnonce}", qop=auth, nc=00000001`];
    }
  }

  response() { return new Promise((resolve) => this.responses.push(resolve)); }

  receive(message) {
    if (message.status !== null) {
      if (message.status >= 200) this.responses.shift()?.(message);
      return;
    }
    this.events.push(message.method);
    if (message.method === "INVITE") this.answer(message);
    else if (message.method !== "ACK") this.reply(message, "200 OK");
    if (message.method === "BYE") this.connection.close();
  }

  reply(request, status, body) {
    const copied = ["Via", "From", "Call-ID", "CSeq", "Record-Route"].flatMap((name) =>
      request.all(name.toLowerCase()).map((value) => `${name}: ${value}`));
    const to = request.get("to");
    this.send(`SIP/2.0 ${status}`, [
      ...copied, `To: ${to}${to.includes(";tag=") ? "" : ";tag=page"}`, `Contact: ${this.contact}`],
    body);
  }

  async answer(invite) {
    this.reply(invite, "180 Ringing");
    if (!this.connection) await this.open(invite);
    await this.connection.setRemoteDescription({ type: "offer", sdp: invite.body });
    if (this.codec) {
      const all = RTCRtpReceiver.getCapabilities("audio").codecs;
      this.connection.getTransceivers()[0].setCodecPreferences(
        all.filter(({ mimeType }) => [this.codec, "audio/telephone-event"].includes(mimeType)));
    }
    await this.connection.setLocalDescription(await this.connection.createAnswer());
    this.reply(invite, "200 OK", await this.description());
  }

  async open(invite) {
    this.invite = invite;
    this.connection = new RTCPeerConnection();
    this.context = new AudioContext();
    this.connection.ontrack = ({ track, streams }) => {
      this.streams = streams.length;
      const stream = new MediaStream([track]);
      document.getElementById("earpiece").srcObject = stream;
      this.analyser = new AnalyserNode(this.context, { fftSize: 8192 });
      this.context.createMediaStreamSource(stream).connect(this.analyser);
    };
    const plain = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };
    const microphone = await navigator.mediaDevices.getUserMedia({ audio: plain });
    microphone.getTracks().forEach((track) => this.connection.addTrack(track, microphone));
  }

  async description() {
    // Without trickling (RFC 8840): the answer has all candidates.
    while (this.connection.iceGatheringState !== "complete") {
      await new Promise((resolve) => {
        this.connection.onicegatheringstatechange = resolve;
      });
    }
    return this.changed(this.connection.localDescription.sdp);
  }

  // What is said of the audio; tests put something else in its place.
  changed(sdp) { return sdp; }

  request(method, body) {
    const target = /<([^>]*)>/.exec(this.invite.get("contact"))[1];
    this.send(`${method} ${target} SIP/2.0`, [
      this.via(), "Max-Forwards: 70", `From: ${this.invite.get("to")};tag=page`,
      `To: ${this.invite.get("from")}`, `Call-ID: ${this.invite.get("call-id")}`,
      `CSeq: ${this.sequence} ${method}`, `Contact: ${this.contact}`], body);
  }

  // Offers the audio in another direction (hold: sendonly); give the status of the answer.
  async offer(direction, restart = false) {
    this.connection.getTransceivers()[0].direction = direction;
    await this.connection.setLocalDescription(
      await this.connection.createOffer({ iceRestart: restart }));
    this.request("INVITE", await this.description());
    const response = await this.response();
    this.request("ACK");
    this.sequence++;
    if (response.status === 200) {
      await this.connection.setRemoteDescription({ type: "answer", sdp: response.body });
    }
    return response.status;
  }

  async hangUp() {
    this.request("BYE");
    const { status } = await this.response();
    this.connection.close();
    return status;
  }

  // The strongest frequency that is heard now, in Hertz; null while it is quiet.
  heard() {
    if (!this.analyser) return null;
    const levels = new Float32Array(this.analyser.frequencyBinCount);
    this.analyser.getFloatFrequencyData(levels);
    const peak = levels.indexOf(Math.max(...levels));
    if (levels[peak] < -60) return null;
    return peak * this.context.sampleRate / this.analyser.fftSize;
  }

  async stats(type) {
    return [...(await this.connection.getStats()).values()].filter((each) => each.type === type);
  }
}
