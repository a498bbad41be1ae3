//! The part of HTTP/1.1 that the benchmark's servers need.

use std::{
    io::{BufRead, BufReader, ErrorKind, Read, Result, Write},
    net::TcpStream,
};

/// A request.
pub struct Request {
    /// Method and path, such as `GET /path`, without the version.
    pub line: String,
    /// Names, in lower case, and values.
    headers: Vec<(String, String)>,
    /// The complete body, decoded if it was chunked.
    pub body: Vec<u8>,
}

impl Request {
    /// The value of a header. `name` is in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(header, _)| header == name).map(|(_, value)| value.as_str())
    }
}

/// One client's connection.
pub struct Connection(BufReader<TcpStream>);

impl Connection {
    /// The connection of this stream.
    pub fn new(stream: TcpStream) -> Self {
        Self(BufReader::with_capacity(64 * 1024, stream))
    }

    /// The next request; `None` if the client has closed the connection.
    pub fn read(&mut self) -> Result<Option<Request>> {
        let line = self.line()?;
        let Some((line, _)) = line.rsplit_once(' ') else { return Ok(None) };
        let mut request = Request { line: line.to_owned(), headers: Vec::new(), body: Vec::new() };
        loop {
            let header = self.line()?;
            let Some((name, value)) = header.split_once(':') else { break };
            request.headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        if request.header("transfer-encoding").is_some() {
            loop {
                let size = usize::from_str_radix(&self.line()?, 16).map_err(|_| ErrorKind::InvalidData)?;
                self.bytes(size, &mut request.body)?;
                self.line()?;
                if size == 0 {
                    break;
                }
            }
        } else if let Some(length) = request.header("content-length") {
            let length = length.parse().map_err(|_| ErrorKind::InvalidData)?;
            self.bytes(length, &mut request.body)?;
        }
        Ok(Some(request))
    }

    fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        self.0.read_line(&mut line)?;
        line.truncate(line.trim_end().len());
        Ok(line)
    }

    fn bytes(&mut self, count: usize, into: &mut Vec<u8>) -> Result<()> {
        let before = into.len();
        into.resize(before + count, 0);
        self.0.read_exact(&mut into[before..])
    }

    /// Sends the answer to the last request, in one write.
    pub fn answer(&mut self, status: u16, headers: &str, body: &[u8]) -> Result<()> {
        let mut answer = format!("HTTP/1.1 {status} .\r\n{headers}content-length: {}\r\n\r\n", body.len());
        answer.reserve(body.len());
        let mut answer = answer.into_bytes();
        answer.extend_from_slice(body);
        self.0.get_mut().write_all(&answer)
    }
}
