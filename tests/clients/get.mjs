// Gets a URL with the fetch that is built in. Prints the status.

const answer = await fetch(process.argv[2])
await answer.text()
console.log(answer.status)
