// One WebSocket through the gateway: opens it with a token, answers `expiring` with a fresh one, and says in events what happens.
//
//   ready    {connection, subject, expires_at}     the gateway has let us in
//   expires  {expires_at}                          a refresh has moved the expiry
//   message  (the application's own)               a message of the backend
//   step     {from: 'gateway'|'app'|'page', text}  for people who want to watch
//   closed   {code, reason, ready}                 over; `ready` is false when it never began
//            {trouble}                             or the application gave no token, and nothing was opened

/// `fetch_token` threw because nobody is logged in any more.
export class LoggedOut extends Error {}

export class Connection extends EventTarget {
  #socket;
  #fetch_token;
  #url;
  #ready = false;
  #expiring = false;
  #by_itself = true;

  /// `fetch_token` resolves to a fresh token of the application.
  constructor(url, fetch_token) {
    super();
    this.#url = url;
    this.#fetch_token = fetch_token;
  }

  async open() {
    let token;
    try {
      token = await this.#fetch_token();
    } catch (error) {
      this.#step('app', `issues no token: ${error.message}`);
      this.#tell('closed', { trouble: error });
      return;
    }
    this.#step('app', 'issues a token');
    // The token travels as a subprotocol, since a browser can set no header here. It is never echoed, and never logged as
    // a URL would be.
    this.#socket = new WebSocket(this.#url, ['chat.v1', 'sallyport.v1', `bearer.${token}`]);
    this.#socket.addEventListener('message', ({ data }) => this.#receive(JSON.parse(data)));
    this.#socket.addEventListener('close', ({ code, reason }) => {
      this.#step('gateway', code === 1006 ? 'connection lost' : `closes: ${code} ${reason}`);
      this.#tell('closed', { code, reason, ready: this.#ready });
    });
  }

  get is_open() {
    return this.#ready && this.#socket.readyState === WebSocket.OPEN;
  }

  /// Whether `expiring` is answered without being asked.
  set refresh_by_itself(wanted) {
    this.#by_itself = wanted;
    if (wanted && this.#expiring) this.refresh();
  }

  send(message) {
    if (this.is_open) this.#socket.send(JSON.stringify(message));
  }

  /// Asks the application for a fresh token and hands it to the gateway, inside the open socket.
  async refresh() {
    try {
      const token = await this.#fetch_token();
      this.#step('app', 'issues a fresh token');
      this.#step('page', 'refresh');
      this.send({ $sallyport: { op: 'refresh', token } });
    } catch (error) {
      this.#step('app', `issues no token: ${error.message}`);
    }
  }

  close() {
    this.#socket?.close(1000);
  }

  #receive(message) {
    const control = message?.$sallyport;
    if (!control) {
      this.#tell('message', message);
      return;
    }
    if (control.op === 'ready') {
      this.#ready = true;
      this.#step('gateway', `ready: you are ${control.subject}`);
      this.#tell('ready', control);
    } else if (control.op === 'expiring') {
      this.#step('gateway', `expiring in ${Math.max(0, Math.round(control.expires_at - Date.now() / 1000))} s`);
      this.#expiring = true;
      if (this.#by_itself) this.refresh();
    } else if (control.op === 'refreshed') {
      this.#expiring = false;
      this.#step('gateway', 'refreshed');
      this.#tell('expires', control);
    }
  }

  #step(from, text) {
    this.#tell('step', { from, text });
  }

  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
