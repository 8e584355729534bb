//! A client whose server may die at any moment: every step says so instead of panicking.
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use std::io::{BufRead, BufReader, Error, ErrorKind, Read, Result, Write};
use std::net::{SocketAddr, TcpStream};

/// The account of these tests.
pub const USER: &str = "anna";
pub const PASSWORD: &str = "correct horse battery";

pub struct Wire(BufReader<TcpStream>);

fn odd(what: &str, line: &str) -> Error {
    Error::new(ErrorKind::InvalidData, format!("{what}: {line}"))
}

impl Wire {
    pub fn connect(addr: SocketAddr) -> Result<Wire> {
        let socket = TcpStream::connect(addr)?;
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(crate::harness::PATIENCE))?;
        Ok(Wire(BufReader::new(socket)))
    }

    pub fn send(&mut self, octets: impl AsRef<[u8]>) -> Result<()> {
        self.0.get_mut().write_all(octets.as_ref())
    }

    pub fn line(&mut self) -> Result<String> {
        let mut line = Vec::new();
        self.0.read_until(b'\n', &mut line)?;
        match line.strip_suffix(b"\r\n") {
            Some(line) => Ok(String::from_utf8_lossy(line).into_owned()),
            None => Err(ErrorKind::UnexpectedEof.into()),
        }
    }

    /// The last line of an SMTP reply.
    pub fn reply(&mut self) -> Result<String> {
        loop {
            let line = self.line()?;
            if line.as_bytes().get(3) != Some(&b'-') {
                return Ok(line);
            }
        }
    }

    /// Sends a line; the reply must begin so.
    pub fn ask(&mut self, line: &str, start: &str) -> Result<String> {
        self.send(format!("{line}\r\n"))?;
        let reply = self.reply()?;
        match reply.starts_with(start) {
            true => Ok(reply),
            false => Err(odd(line, &reply)),
        }
    }

    /// An IMAP command; all lines of the answer, the tagged one last. Literals are put in their
    /// place, as octets of their own.
    pub fn imap(&mut self, command: &str) -> Result<Vec<Vec<u8>>> {
        self.send(format!("x {command}\r\n"))?;
        self.imap_answer(command)
    }

    pub fn imap_answer(&mut self, command: &str) -> Result<Vec<Vec<u8>>> {
        let mut out = Vec::new();
        loop {
            let line = self.line()?;
            let size = line.strip_suffix('}').and_then(|l| l.rsplit_once('{'));
            let size: Option<usize> = size.and_then(|(_, n)| n.parse().ok());
            let tagged = line.starts_with("x ");
            if tagged && !line.starts_with("x OK") {
                return Err(odd(command, &line));
            }
            out.push(line.into_bytes());
            if let Some(size) = size {
                let mut literal = vec![0; size];
                self.0.read_exact(&mut literal)?;
                out.push(literal);
            } else if tagged {
                return Ok(out);
            }
        }
    }

    pub fn imap_login(addr: SocketAddr) -> Result<Wire> {
        let mut wire = Wire::connect(addr)?;
        wire.line()?;
        wire.imap(&format!("LOGIN {USER} \"{PASSWORD}\""))?;
        Ok(wire)
    }

    /// One HTTP request; the body of a good answer.
    pub fn http(&mut self, path: &str, kind: &str, body: &[u8]) -> Result<Value> {
        let secret = STANDARD.encode(format!("{USER}:{PASSWORD}"));
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic {secret}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        self.send([head.as_bytes(), body].concat())?;
        let status = self.line()?;
        let (mut length, mut chunked) = (0, false);
        loop {
            let line = self.line()?.to_ascii_lowercase();
            if line.is_empty() {
                break;
            }
            if let Some(n) = line.strip_prefix("content-length:") {
                length = n.trim().parse().map_err(|_| odd(path, &line))?;
            }
            chunked |= line.starts_with("transfer-encoding:") && line.contains("chunked");
        }
        let mut out = Vec::new();
        if chunked {
            loop {
                let line = self.line()?;
                let size = usize::from_str_radix(&line, 16).map_err(|_| odd(path, &line))?;
                let mut chunk = vec![0; size];
                self.0.read_exact(&mut chunk)?;
                out.extend(chunk);
                self.line()?;
                if size == 0 {
                    break;
                }
            }
        } else {
            out.resize(length, 0);
            self.0.read_exact(&mut out)?;
        }
        match status.contains(" 20") {
            true => serde_json::from_slice(&out).map_err(|e| odd(path, &e.to_string())),
            false => Err(odd(&status, &String::from_utf8_lossy(&out))),
        }
    }

    /// One JMAP call; its arguments' answer.
    pub fn jmap(&mut self, method: &str, mut args: Value) -> Result<Value> {
        args["accountId"] = "a1".into();
        let request = serde_json::json!({
            "using": ["urn:ietf:params:jmap:core", "urn:ietf:params:jmap:mail"],
            "methodCalls": [[method, args, "c"]],
        });
        let mut answer = self.http(
            "/jmap/api",
            "application/json",
            request.to_string().as_bytes(),
        )?;
        Ok(answer["methodResponses"][0][1].take())
    }
}
