// Opens a WebSocket with the class that is built in.
//
// Says one thing, prints what comes back, closes with a code of its own and prints the one it gets.

const socket = new WebSocket(process.argv[2])
socket.onopen = () => socket.send('the first round')
socket.onmessage = ({ data }) => {
  console.log(data)
  socket.close(4001, 'success')
}
socket.onclose = ({ code }) => console.log(code)
socket.onerror = ({ error, message }) => console.error(error ?? message)
