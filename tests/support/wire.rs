//! HTTP/1.1 framing over any blocking stream, for both ends: heads, bodies of known length,
//! chunks with trailers. It keeps every byte as it came.

use std::io::{self, Read, Write};

/// Names and values, in order, case kept.
pub(crate) type Headers = Vec<(String, String)>;

/// A stream and the bytes read from it that nobody has asked for yet.
#[derive(Debug)]
pub(crate) struct Wire<S> {
    stream: S,
    buffer: Vec<u8>,
}

impl<S: Read + Write> Wire<S> {
    pub(crate) fn new(stream: S) -> Self {
        Self { stream, buffer: Vec::new() }
    }

    /// What is below, and what nobody has asked for yet.
    pub(crate) fn into_parts(self) -> (S, Vec<u8>) {
        (self.stream, self.buffer)
    }

    /// What is below.
    pub(crate) fn stream(&self) -> &S {
        &self.stream
    }

    /// Sends bytes at once.
    pub(crate) fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)?;
        self.stream.flush()
    }

    /// A head with its blank line; `None` when the peer closes instead of beginning one.
    pub(crate) fn head(&mut self) -> io::Result<Option<Vec<u8>>> {
        loop {
            if let Some(end) = find(&self.buffer, b"\r\n\r\n") {
                return self.take(end + 4).map(Some);
            }
            let begun = !self.buffer.is_empty();
            if !self.fill()? {
                let cut = io::Error::new(io::ErrorKind::UnexpectedEof, "closed within a head");
                return if begun { Err(cut) } else { Ok(None) };
            }
        }
    }

    /// Exactly so many bytes.
    pub(crate) fn take(&mut self, count: usize) -> io::Result<Vec<u8>> {
        while self.buffer.len() < count {
            if !self.fill()? {
                let what = format!("closed after {} of {count} bytes", self.buffer.len());
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, what));
            }
        }
        let rest = self.buffer.split_off(count);
        Ok(std::mem::replace(&mut self.buffer, rest))
    }

    /// Hands exactly so many bytes on as they come, and keeps none.
    pub(crate) fn pass(&mut self, mut count: usize, to: &mut dyn FnMut(&[u8])) -> io::Result<()> {
        while count > 0 {
            if self.buffer.is_empty() && !self.fill()? {
                let what = format!("closed {count} bytes before the end");
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, what));
            }
            let part = count.min(self.buffer.len());
            to(&self.buffer[..part]);
            self.buffer.drain(..part);
            count -= part;
        }
        Ok(())
    }

    /// A chunked body, and the trailers behind it.
    pub(crate) fn chunked(&mut self) -> io::Result<(Vec<u8>, Headers)> {
        let mut body = Vec::new();
        let trailers = self.pass_chunked(&mut |piece| body.extend_from_slice(piece))?;
        Ok((body, trailers))
    }

    /// Hands a chunked body on as it comes; the trailers behind it.
    pub(crate) fn pass_chunked(&mut self, to: &mut dyn FnMut(&[u8])) -> io::Result<Headers> {
        loop {
            let line = self.line()?;
            let size = line.split(';').next().unwrap_or_default().trim();
            let size = usize::from_str_radix(size, 16);
            let size = size.map_err(|_| invalid(format!("not a chunk size: {line:?}")))?;
            if size == 0 {
                break;
            }
            self.pass(size, to)?;
            if self.take(2)? != b"\r\n" {
                return Err(invalid("a chunk is longer than it says".to_owned()));
            }
        }
        let mut trailers = Headers::new();
        loop {
            let line = self.line()?;
            if line.is_empty() {
                return Ok(trailers);
            }
            let (name, value) = line.split_once(':').ok_or_else(|| invalid(line.clone()))?;
            trailers.push((name.to_owned(), value.trim().to_owned()));
        }
    }

    /// Everything until the peer closes.
    pub(crate) fn rest(&mut self) -> io::Result<Vec<u8>> {
        while self.fill()? {}
        Ok(std::mem::take(&mut self.buffer))
    }

    fn line(&mut self) -> io::Result<String> {
        loop {
            if let Some(end) = find(&self.buffer, b"\r\n") {
                let line = self.take(end + 2)?;
                return Ok(latin1(&line[..end]));
            }
            if !self.fill()? {
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "closed within a line"));
            }
        }
    }

    /// Reads once; whether anything came.
    fn fill(&mut self) -> io::Result<bool> {
        let mut block = [0; 16 * 1024];
        // A signal's handler may come between, of a child that ended, say.
        let count = loop {
            match self.stream.read(&mut block) {
                Err(why) if why.kind() == io::ErrorKind::Interrupted => {}
                read => break read?,
            }
        };
        self.buffer.extend_from_slice(&block[..count]);
        Ok(count > 0)
    }
}

/// Parsed headers, in order, case kept.
pub(crate) fn headers(parsed: &[httparse::Header<'_>]) -> Headers {
    parsed.iter().map(|header| (header.name.to_owned(), latin1(header.value))).collect()
}

/// The bytes of a malformed message, as an error.
pub(crate) fn invalid(what: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

/// Each byte as the character of that number, so that none is lost.
fn latin1(bytes: &[u8]) -> String {
    bytes.iter().copied().map(char::from).collect()
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}
