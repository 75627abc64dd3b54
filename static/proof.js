// Passkeys, and the dialog that asks for a proof before a dangerous form is sent, so that nothing typed is lost.
(() => {
  const bytes = (text) => Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0));
  const text = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer))).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
  const opened = (list) => (list ?? []).map((one) => ({ ...one, id: bytes(one.id) }));
  const told = (credential) => {
    const response = {};
    for (const name of ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"]) {
      if (credential.response[name]) response[name] = text(credential.response[name]);
    }
    if (credential.response.getTransports) response.transports = credential.response.getTransports();
    return JSON.stringify({ id: credential.id, rawId: text(credential.rawId), type: credential.type, response, clientExtensionResults: credential.getClientExtensionResults() });
  };
  const passkey = async (options) => {
    const key = { ...options, challenge: bytes(options.challenge) };
    if (!options.user) return told(await navigator.credentials.get({ publicKey: { ...key, allowCredentials: opened(key.allowCredentials) } }));
    key.user = { ...key.user, id: bytes(key.user.id) };
    return told(await navigator.credentials.create({ publicKey: { ...key, excludeCredentials: opened(key.excludeCredentials) } }));
  };
  const say = (form, words) => {
    const line = form.querySelector("[role=alert]");
    line.textContent = words;
    line.hidden = !words;
  };
  const REASONS = {
    InvalidStateError: "This device has a passkey of yours already.",
    SecurityError: "The browser does not allow passkeys at this address: they need https, or localhost.",
  };
  const ask = async (form) => {
    const token = form.elements.csrfmiddlewaretoken.value;
    const answer = await fetch(form.dataset.passkey, { method: "POST", headers: { "X-CSRFToken": token } });
    if (!answer.ok) throw new Error("Too many tries. Wait a minute, then try again.");
    form.elements.credential.value = await passkey((await answer.json()).publicKey);
  };
  const allowed = () => { if (window.PublicKeyCredential) document.querySelectorAll("form[data-passkey][hidden]").forEach((form) => { form.hidden = false; }); };

  // -- the proof: asked for once it is older than fifteen minutes, and only by what needs one
  let proved = 0, waiting = null;
  const address = "/accounts/reauthenticate/";
  const dialogOf = (html) => {
    document.getElementById("proof")?.remove();
    document.body.insertAdjacentHTML("beforeend", html);
    const dialog = document.getElementById("proof");
    allowed();
    dialog.addEventListener("close", () => dialog.remove());
    dialog.showModal();
    (dialog.querySelector("[aria-invalid=true]") ?? dialog.querySelector("form:not([hidden]) :is(input:not([type=hidden]), button)"))?.focus();
  };
  const send = (form, submitter) => {
    form.dataset.proved = "1";
    form.requestSubmit(submitter?.isConnected ? submitter : undefined);
  };
  const before = async (form, submitter) => {
    const target = new URL(submitter?.getAttribute("formaction") ?? form.getAttribute("hx-post") ?? form.action, location.href);
    const answer = await fetch(`${address}?for=${encodeURIComponent(target.pathname)}`, { headers: { "X-Dialog": "1" } });
    if (answer.status !== 200 || answer.redirected) {
      proved = 1000 * Number(answer.headers.get("X-Proved-Until") ?? 0);
      send(form, submitter);
      return;
    }
    waiting = [form, submitter];
    dialogOf(await answer.text());
  };
  const prove = async (form) => {
    const answer = await fetch(form.action, { method: "POST", body: new FormData(form), headers: { "X-Dialog": "1" } });
    if (answer.status !== 204) { dialogOf(await answer.text()); return; }
    proved = 1000 * Number(answer.headers.get("X-Proved-Until"));
    document.getElementById("proof").close();
    send(...waiting);
  };
  const inDialog = (form) => form.matches("#proof [data-proof]");
  addEventListener("submit", (event) => {
    const form = event.target;
    if (form.dataset.passkey && !form.elements.credential.value) {
      event.preventDefault();
      event.stopImmediatePropagation();
      say(form, "");
      ask(form).then(() => (inDialog(form) ? prove(form) : form.requestSubmit())).catch((error) => {
        form.elements.credential.value = "";
        say(form, REASONS[error.name] ?? (error.name === "Error" ? error.message : "The passkey was not used. Try again."));
      });
      return;
    }
    if (inDialog(form)) {
      event.preventDefault();
      event.stopImmediatePropagation();
      prove(form);
      return;
    }
    if (!document.body.hasAttribute("data-person") || form.dataset.proved || form.matches("[data-proof], [method=dialog]")) { delete form.dataset.proved; return; }
    if ((form.method !== "post" && !form.hasAttribute("hx-post")) || Date.now() < proved - 5000) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    before(form, event.submitter).catch(() => send(form, event.submitter));
  }, true);
  document.addEventListener("DOMContentLoaded", () => {
    proved = 1000 * Number(document.body.dataset.person ?? 0);
    allowed();
  });
})();
