// Steps in Chromium, by the DevTools protocol alone: shows pages of the admin listener, does things on
// them, and writes a line of JSON for each with what is wrong.
//
// browser.mjs ADMIN FORWARD SHOTS AXE STEPS

import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import http from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";

const [admin, forward, shots, axe, steps] = process.argv.slice(2);
const AXE = readFileSync(axe, "utf8");
const profile = mkdtempSync(join(tmpdir(), "pages-"));

const chromium = spawn("chromium", [
  "--headless", "--no-sandbox", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync", "--hide-scrollbars", "--force-device-scale-factor=1",
  "--remote-debugging-port=0", `--user-data-dir=${profile}`, "about:blank",
], { env: { ...process.env, HOME: profile }, stdio: ["ignore", "ignore", "pipe"], detached: true });

const end = (code) => {
  try { process.kill(-chromium.pid, "SIGKILL"); } catch { /* it has ended */ }
  try { rmSync(profile, { recursive: true, force: true, maxRetries: 5 }); } catch { /* it is in use */ }
  process.exit(code);
};
setTimeout(() => { console.error("it takes too long"); end(1); }, 240_000);
process.on("unhandledRejection", (why) => { console.error(why); end(1); });

// What it says first is where it can be told what to do.
const endpoint = await new Promise((found, failed) => {
  let said = "";
  chromium.stderr.on("data", (text) => {
    said += text;
    const url = said.match(/DevTools listening on (ws:\/\/\S+)/);
    if (url) found(url[1]);
  });
  chromium.on("exit", () => failed(said));
  chromium.on("error", failed);
});

const port = new URL(endpoint).port;
const pages = await (await fetch(`http://127.0.0.1:${port}/json/list`)).json();
const socket = new WebSocket(pages.find((page) => page.type === "page").webSocketDebuggerUrl);
await new Promise((open) => { socket.onopen = open; });

let next = 0;
const waiting = new Map();
const listeners = new Map();
socket.onmessage = ({ data }) => {
  const { id, result, error, method, params } = JSON.parse(data);
  if (id) {
    const { done, failed } = waiting.get(id);
    waiting.delete(id);
    return error ? failed(new Error(error.message)) : done(result);
  }
  for (const heard of listeners.get(method) ?? []) heard(params);
};
const tell = (method, params = {}) => new Promise((done, failed) => {
  waiting.set(++next, { done, failed });
  socket.send(JSON.stringify({ id: next, method, params }));
});
const on = (method, heard) => listeners.set(method, [...(listeners.get(method) ?? []), heard]);
const loaded = () => new Promise((done) => {
  const heard = () => {
    listeners.set("Page.loadEventFired", listeners.get("Page.loadEventFired").filter((own) => own !== heard));
    done();
  };
  on("Page.loadEventFired", heard);
});

// By the protocol, which the page's policy does not hold back.
const ask = async (expression) => {
  const { result, exceptionDetails } = await tell("Runtime.evaluate", {
    expression, awaitPromise: true, returnByValue: true, userGesture: true,
  });
  if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
  return result.value;
};
const until = async (expression) => {
  const begun = Date.now();
  while (!(await ask(expression))) {
    if (Date.now() - begun > 30_000) throw new Error(`it never happened: ${expression}`);
    await new Promise((go) => setTimeout(go, 20));
  }
};
const leaving = async (expression) => {
  const over = loaded();
  await ask(expression);
  await over;
};

let errors = [];
let elsewhere = [];
on("Log.entryAdded", ({ entry }) => {
  if (entry.level === "error") errors.push(`${entry.text} ${entry.url ?? ""}`);
});
on("Runtime.exceptionThrown", ({ exceptionDetails }) => errors.push(exceptionDetails.text));
on("Runtime.consoleAPICalled", ({ type, args }) => {
  if (type === "error") errors.push(args.map((own) => own.value).join(" "));
});
on("Page.javascriptDialogOpening", ({ message }) => {
  errors.push(`a dialog: ${message}`);
  tell("Page.handleJavaScriptDialog", { accept: false });
});
on("Network.requestWillBeSent", ({ request }) => {
  if (!request.url.startsWith(admin + "/") && !request.url.startsWith("data:")) elsewhere.push(request.url);
});
for (const domain of ["Page", "Runtime", "Log", "Network"]) await tell(`${domain}.enable`);
// Headless, its window is nobody's.
await tell("Emulation.setFocusEmulationEnabled", { enabled: true });
await tell("Browser.grantPermissions", {
  origin: admin, permissions: ["clipboardReadWrite", "clipboardSanitizedWrite"],
}).catch(() => tell("Browser.grantPermissions", { permissions: ["clipboardReadWrite"] }));

/// Has the proxy sign a request.
const send = (path) => new Promise((done, failed) => {
  const { hostname, port } = new URL(forward);
  const asked = { hostname, port, path: `http://apiv2.metasv.com${path}`, headers: { Host: "apiv2.metasv.com" } };
  http.get(asked, (answer) => answer.resume().on("end", done)).on("error", failed);
});

const press = async (key) => {
  for (const type of ["keyDown", "keyUp"]) {
    await tell("Input.dispatchKeyEvent", { type, key, code: key, windowsVirtualKeyCode: { Tab: 9 }[key] });
  }
};

const submitted = (action) => leaving(`document.querySelector('form[action="${action}"] [type=submit]').click()`);

const acts = {
  async live() {
    await until(`document.querySelector(".live").textContent === "live"`);
    const rows = await ask(`document.querySelectorAll("tbody tr").length`);
    await send("/v1/live?a=1");
    const first = `document.querySelector("tbody tr")`;
    await until(`${first}.textContent.includes("/v1/live") && ${first}.textContent.includes("signed")`);
    const more = (await ask(`document.querySelectorAll("tbody tr").length`)) - rows;
    const [outcome, status] = await ask(`[...${first}.cells].slice(1, 3).map((cell) => cell.textContent)`);
    return `live: ${more === 1 ? "one row more" : more}, over: ${outcome} ${status}`;
  },
  async keyboard() {
    await until(`document.querySelector(".live").textContent === "live"`);
    const seen = [];
    for (let number = 0; number < 7; number += 1) {
      await press("Tab");
      seen.push(await ask(`(() => {
        const own = document.activeElement;
        const ring = getComputedStyle(own).outlineStyle;
        if (ring === "none") return "no ring: " + own.outerHTML;
        return own.getAttribute("href")?.split("?")[0] ?? own.getAttribute("aria-label") ?? own.textContent;
      })()`));
    }
    return seen.join(", ");
  },
  async copy() {
    const button = `document.querySelector("[data-copy=copy-curl]")`;
    await ask(`${button}.click()`);
    await until(`["Copied", "Selected"].includes(${button}.textContent)`);
    return ask(`navigator.clipboard.readText().then((text) => ${button}.textContent + ": " + text)`);
  },
  async reload() {
    await submitted("/reload");
    return ask(`location.pathname + ": " + document.querySelector("form[action='/reload']").parentElement.querySelector(".badge").textContent`);
  },
  async paste() {
    const request = [
      "GET /v1/tx?a=1 HTTP/1.1", "Host: apiv2.metasv.com", "MetaSV-Timestamp: 1616746489806",
      "MetaSV-Client-Pubkey: 023ee09c28123004368925965123cb8b2a6ada56a832c8aaf46990c5eb200dbcd7",
      "MetaSV-Nonce: 8990516823", "MetaSV-Signature: MEUCIQCC5khayzyNlAU22AjM7LX2BBV7Nb9A4LF2+Quwxc5ZCwIgU2L7EMe1AaFkJnA0q8BE2PO1Rhb2FvtszwCtSnPA5OA=",
      "", "",
    ].join("\n");
    await ask(`document.getElementById("request").value = ${JSON.stringify(request)}`);
    await submitted("/verify");
    return ask(`location.pathname + ": " + document.querySelector("main .badge").textContent`);
  },
  async "sign-in"({ token }) {
    await ask(`document.getElementById("name").value = "app"; document.getElementById("token").value = ${JSON.stringify(token)}`);
    await submitted("/sign-in");
    return ask(`location.pathname + ": " + (document.querySelector(".problem")?.textContent
      ?? document.querySelector(".who").textContent + ", cookies for scripts: " + document.cookie.length)`);
  },
  async "sign-out"() {
    await submitted("/sign-out");
    return ask(`location.pathname + ": cookies for scripts: " + document.cookie.length`);
  },
};

for (const step of JSON.parse(steps)) {
  const { name, path, width = 1280, dark = false, script = true } = step;
  errors = [];
  elsewhere = [];
  await tell("Emulation.setScriptExecutionDisabled", { value: !script });
  await tell("Emulation.setDeviceMetricsOverride", { width, height: 800, deviceScaleFactor: 1, mobile: false });
  await tell("Emulation.setEmulatedMedia", {
    features: [{ name: "prefers-color-scheme", value: dark ? "dark" : "light" }],
  });
  const over = loaded();
  await tell("Page.navigate", { url: admin + path });
  await over;
  const said = await (acts[step.do] ?? (() => ask("location.pathname")))(step);
  let findings = [];
  if (script) {
    await ask(AXE + "; undefined");
    const found = await ask("axe.run().then((own) => own.violations)");
    findings = found
      .filter((own) => ["serious", "critical"].includes(own.impact))
      .map((own) => `${own.id}: ${own.nodes.map((node) => `${node.html} ${node.failureSummary}`).join("; ")}`);
  }
  const overflow = await ask("Math.max(0, document.documentElement.scrollWidth - innerWidth)");
  const rows = await ask(`document.querySelectorAll("tbody tr").length`);
  const { data } = await tell("Page.captureScreenshot", { format: "png", captureBeyondViewport: true });
  writeFileSync(join(shots, `${name}.png`), Buffer.from(data, "base64"));
  // Of a page that is not there the browser says so.
  errors = errors.filter((text) => !text.includes("404 (Not Found)"));
  console.log(JSON.stringify({ name, said, rows, findings, errors, elsewhere, overflow }));
}
end(0);
