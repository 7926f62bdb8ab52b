// Sends three requests with undici's fetch and again with its request.
//
// Arguments: URL to GET, URL to POST to, JSON to post, URL to GET.
// The proxy is in http_proxy.

import { fetch, ProxyAgent, request } from 'undici'

// Without proxyTunnel: false this version sends CONNECT for http:// too. That is signed as well, and
// looked at with Node's own fetch; here requests come in absolute form.
const dispatcher = new ProxyAgent({ uri: process.env.http_proxy, proxyTunnel: false })

const [readUrl, writeUrl, body, metasvUrl] = process.argv.slice(2)
const post = { method: 'POST', headers: { 'content-type': 'application/json' }, body }
const requests = [[readUrl, {}], [writeUrl, post], [metasvUrl, {}]]

function report (status, text) {
  console.log(status)
  if (status !== 200) {
    console.error(text)
    process.exitCode = 1
  }
}

for (const [url, options] of requests) {
  const answer = await fetch(url, { ...options, dispatcher })
  report(answer.status, await answer.text())
}
for (const [url, options] of requests) {
  const answer = await request(url, { ...options, dispatcher })
  report(answer.statusCode, await answer.body.text())
}
await dispatcher.close()
