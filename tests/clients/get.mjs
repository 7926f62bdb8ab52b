// Gets URLs with the fetch that is built in, and posts BODY to each where that is set. Prints the
// statuses, or why there is none.

const { BODY: body } = process.env
const headers = { 'content-type': 'application/json' }
const requests = [{ method: 'GET' }, ...(body ? [{ method: 'POST', headers, body }] : [])]

for (const url of process.argv.slice(2)) {
  for (const request of requests) {
    try {
      const answer = await fetch(url, request)
      await answer.text()
      console.log(answer.status)
    } catch (error) {
      console.log(`${request.method} ${url}: ${error.cause ?? error}`)
    }
  }
}
