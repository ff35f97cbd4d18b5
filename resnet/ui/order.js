() => {
  // Events leave in the order in which they happened: each once the server has taken the one before, which takes it
  // some milliseconds. Side by side, on connections of their own, one may overtake another where the server is busy.
  // One that gets lost on its way keeps the others for two seconds, and no longer.
  const send = window.fetch.bind(window);
  let before = Promise.resolve();
  window.fetch = (...request) => {
    if (!String(request[0]?.url ?? request[0]).includes("/queue/join")) return send(...request);
    const turn = Promise.race([before, new Promise((go_on) => setTimeout(go_on, 2000))]);
    const sent = turn.then(() => send(...request));
    before = sent.catch(() => {}); // whatever has become of it
    return sent;
  };
}
