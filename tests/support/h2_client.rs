//! A client that speaks HTTP/2 frame by frame (RFC 9113), and says what others would not.

use std::io;

use super::client::Client;

/// A connection that has begun in HTTP/2.
pub(crate) struct Http2(Client);

/// One frame.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Frame {
    pub(crate) kind: u8,
    pub(crate) flags: u8,
    pub(crate) stream: u32,
    pub(crate) payload: Vec<u8>,
}

/// What became of a request.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum End {
    /// It was answered, with this status and body.
    Answer(u16, Vec<u8>),
    /// Its stream was reset, with this code.
    Reset(u32),
    /// The connection was ended, with this code.
    GoneAway(u32),
    /// The connection was closed without a word.
    Closed,
}

impl End {
    /// The status, where there is an answer.
    pub(crate) fn status(&self) -> Option<u16> {
        if let Self::Answer(status, _) = self { Some(*status) } else { None }
    }

    /// A refusal's code, where the answer is one.
    pub(crate) fn code(&self) -> String {
        let Self::Answer(_, body) = self else { return format!("{self:?}") };
        let problem: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
        problem["code"].as_str().unwrap_or_default().to_owned()
    }
}

impl Http2 {
    /// Begins with the preface and these settings. Answers come without a dynamic table, so that
    /// each can be read by itself.
    pub(crate) fn begin(mut client: Client, settings: &[(u16, u32)]) -> Self {
        client.send(PREFACE);
        let mut connection = Self(client);
        let all = [&[(HEADER_TABLE_SIZE, 0)], settings].concat();
        let payload: Vec<u8> = all
            .iter()
            .flat_map(|(id, value)| [&id.to_be_bytes()[..], &value.to_be_bytes()].concat())
            .collect();
        connection.send(SETTINGS, 0, 0, &payload);
        connection
    }

    /// Sends a frame.
    pub(crate) fn send(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        self.0.send(frame(kind, flags, stream, payload));
    }

    /// Sends a frame to a server that may be gone.
    pub(crate) fn try_send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.try_send(bytes)
    }

    /// Sends a request's head, which is all of it where it `ends`.
    pub(crate) fn head<N: AsRef<[u8]>, V: AsRef<[u8]>>(
        &mut self,
        stream: u32,
        fields: &[(N, V)],
        ends: bool,
    ) {
        let flags = if ends { END_HEADERS | END_STREAM } else { END_HEADERS };
        self.send(HEADERS, flags, stream, &block(fields));
    }

    /// Sends a request without a body and says what became of it.
    pub(crate) fn ask<N: AsRef<[u8]>, V: AsRef<[u8]>>(
        &mut self,
        stream: u32,
        fields: &[(N, V)],
    ) -> End {
        self.head(stream, fields, true);
        self.end(stream)
    }

    /// The next frame; settings and pings are answered on the way.
    pub(crate) fn next(&mut self) -> io::Result<Frame> {
        let head = self.0.try_take(9)?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
        let payload = self.0.try_take(length as usize)?;
        let (kind, flags) = (head[3], head[4]);
        if (kind == SETTINGS || kind == PING) && flags & ACK == 0 {
            let echoed = if kind == PING { &payload[..] } else { &[] };
            // Whoever is gone needs no answer.
            let _gone = self.try_send(&frame(kind, ACK, 0, echoed));
        }
        Ok(Frame { kind, flags, stream, payload })
    }

    /// What became of the request on a stream.
    pub(crate) fn end(&mut self, stream: u32) -> End {
        let (mut status, mut body) = (0, Vec::new());
        loop {
            let frame = match self.next() {
                Ok(frame) => frame,
                Err(why) => {
                    let waits = why.kind() == io::ErrorKind::WouldBlock;
                    assert!(!waits, "nothing comes, and the connection stays open");
                    return End::Closed;
                }
            };
            match frame.kind {
                GOAWAY if frame.payload[4..8] != [0; 4] => {
                    return End::GoneAway(number(&frame.payload[4..]));
                }
                _ if frame.stream != stream => continue,
                RST_STREAM => return End::Reset(number(&frame.payload)),
                HEADERS if status == 0 => status = read_status(&frame.payload),
                DATA => body.extend_from_slice(&frame.payload),
                _ => {}
            }
            if matches!(frame.kind, HEADERS | DATA) && frame.flags & END_STREAM != 0 {
                return End::Answer(status, body);
            }
        }
    }

    /// Reads until the server closes the connection.
    pub(crate) fn await_end(&mut self) {
        let why = loop {
            if let Err(why) = self.next() {
                break why;
            }
        };
        assert!(why.kind() != io::ErrorKind::WouldBlock, "the connection stays open");
    }
}

/// The head of a GET on a gateway.
pub(crate) fn get(url: &str, path: &str) -> Vec<(String, String)> {
    let host = url.trim_start_matches("http://");
    [(":method", "GET"), (":scheme", "http"), (":authority", host), (":path", path)]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec()
}

/// A frame (RFC 9113, section 4.1).
pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("frames here are short").to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// Fields as literals that nobody remembers (RFC 7541, section 6.2.2).
pub(crate) fn block<N: AsRef<[u8]>, V: AsRef<[u8]>>(fields: &[(N, V)]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in fields {
        block.push(0);
        for text in [name.as_ref(), value.as_ref()] {
            length(&mut block, text.len());
            block.extend_from_slice(text);
        }
    }
    block
}

/// A length with a prefix of seven bits (RFC 7541, section 5.1).
fn length(block: &mut Vec<u8>, mut length: usize) {
    if length < 127 {
        return block.push(length.to_le_bytes()[0]);
    }
    block.push(127);
    length -= 127;
    while length >= 128 {
        block.push((length % 128 + 128).to_le_bytes()[0]);
        length /= 128;
    }
    block.push(length.to_le_bytes()[0]);
}

/// The status, which comes first: from the static table, or a literal in Huffman's code.
fn read_status(block: &[u8]) -> u16 {
    // What says that there is no dynamic table.
    let block = if block[0] & 0xe0 == 0x20 { &block[1..] } else { block };
    if block[0] & 0x80 != 0 {
        let known = [200, 204, 206, 304, 400, 404, 500];
        return known[usize::from(block[0] & 0x7f) - 8];
    }
    assert_eq!(block[1] & 0x80, 0x80, "a status in Huffman's code: {block:?}");
    let coded = &block[2..2 + usize::from(block[1] & 0x7f)];
    let bits: String = coded.iter().map(|byte| format!("{byte:08b}")).collect();
    let (mut at, mut status) = (0, 0);
    for _ in 0..3 {
        let five = u16::from_str_radix(&bits[at..at + 5], 2).expect("bits");
        let (digit, length) = if five < 3 {
            (five, 5)
        } else {
            (u16::from_str_radix(&bits[at..at + 6], 2).expect("bits") - 0x19 + 3, 6)
        };
        (at, status) = (at + length, status * 10 + digit);
    }
    status
}

fn number(bytes: &[u8]) -> u32 {
    u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
}

pub(crate) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PING: u8 = 6;
pub(crate) const GOAWAY: u8 = 7;
pub(crate) const WINDOW_UPDATE: u8 = 8;
pub(crate) const CONTINUATION: u8 = 9;
pub(crate) const ACK: u8 = 1;
pub(crate) const END_STREAM: u8 = 1;
pub(crate) const END_HEADERS: u8 = 4;
pub(crate) const HEADER_TABLE_SIZE: u16 = 1;
pub(crate) const INITIAL_WINDOW_SIZE: u16 = 4;
