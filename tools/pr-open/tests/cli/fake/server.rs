//! An HTTP/1.1 server: one request per connection, and a thread for each.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;

#[derive(Debug, Clone, Default)]
pub struct Incoming {
    pub method: String,
    /// The path with its query; with scheme and host before it if the client takes us for a proxy.
    pub path: String,
    /// Headers; their names are in lower case.
    pub headers: BTreeMap<String, String>,
    pub body: Vec<u8>,
}

impl Incoming {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }
}

#[derive(Debug, Clone, Default)]
pub struct Outgoing {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// Closes the connection instead of answering.
    pub reset: bool,
}

/// Serves on a free port until the process ends; returns the address.
pub fn start(answer: impl Fn(&Incoming) -> Outgoing + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let answer = Arc::new(answer);
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let answer = answer.clone();
            std::thread::spawn(move || {
                // Ignore errors of a client that has hung up.
                let _ = serve(stream, &*answer);
            });
        }
    });
    url
}

fn serve(mut stream: TcpStream, answer: &dyn Fn(&Incoming) -> Outgoing) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut first = String::new();
    reader.read_line(&mut first)?;
    let mut words = first.split(' ').map(str::to_owned);
    let mut incoming = Incoming {
        method: words.next().unwrap_or_default(),
        path: words.next().unwrap_or_default(),
        ..Incoming::default()
    };
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        incoming.headers.insert(name.to_lowercase(), value.trim().to_owned());
    }
    if incoming.header("expect") == "100-continue" {
        stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
    }
    incoming.body = if incoming.header("transfer-encoding") == "chunked" {
        chunks(&mut reader)?
    } else {
        let mut body = vec![0; incoming.header("content-length").parse().unwrap_or(0)];
        reader.read_exact(&mut body)?;
        body
    };
    let out = answer(&incoming);
    if out.reset {
        return Ok(());
    }
    let mut head =
        format!("HTTP/1.1 {} x\r\nContent-Length: {}\r\nConnection: close\r\n", out.status, out.body.len());
    for (name, value) in &out.headers {
        head.push_str(&[name, ": ", value, "\r\n"].concat());
    }
    stream.write_all(format!("{head}\r\n").as_bytes())?;
    stream.write_all(&out.body)
}

fn chunks(reader: &mut impl BufRead) -> std::io::Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let mut size = String::new();
        reader.read_line(&mut size)?;
        let size = usize::from_str_radix(size.trim(), 16).unwrap_or(0);
        let mut chunk = vec![0; size + 2];
        reader.read_exact(&mut chunk)?;
        if size == 0 {
            return Ok(body);
        }
        body.extend_from_slice(&chunk[..size]);
    }
}
