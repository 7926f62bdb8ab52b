// Opens WebSockets with the class that is built in, one after the other.
//
// On each: says one thing, prints what comes back, closes with a code of its own and prints the one
// it gets. Arguments: the URLs.

for (const url of process.argv.slice(2)) {
  const socket = new WebSocket(url)
  socket.onopen = () => socket.send('the first round')
  socket.onmessage = ({ data }) => {
    console.log(data)
    socket.close(4001, 'success')
  }
  socket.onerror = ({ error, message }) => console.log(`${url}: ${error ?? message}`)
  const { code } = await new Promise(resolve => { socket.onclose = resolve })
  console.log(code)
}
