//! A partner's server: HTTP on some ports, a TCP echo on one.

use std::{
    io::{Read as _, Write as _},
    net::{Ipv6Addr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use anyhow::Context as _;

use super::Arguments;

/// Connections served at once; more are closed at once.
const CONNECTIONS_MAX: usize = 256;
/// Bytes of a request's head.
const HEAD_BYTES_MAX: usize = 16 * 1024;
/// How long a peer may be silent.
const IDLE: Duration = Duration::from_secs(30);

pub(super) fn run(mut arguments: Arguments, lifetime: Duration) -> anyhow::Result<()> {
    let http: Vec<u16> = arguments.all("--http")?;
    let echo: Vec<u16> = arguments.all("--echo")?;
    arguments.done()?;
    let open = Arc::new(AtomicUsize::new(0));
    let ports = http.iter().map(|port| (*port, serve_http as Service));
    for (port, service) in ports.chain(echo.iter().map(|port| (*port, serve_echo as Service))) {
        let listener = TcpListener::bind((Ipv6Addr::UNSPECIFIED, port))
            .with_context(|| format!("listening on port {port}"))?;
        let open = Arc::clone(&open);
        thread::spawn(move || accept(&listener, service, &open));
    }
    thread::sleep(lifetime);
    Ok(())
}

type Service = fn(TcpStream) -> std::io::Result<()>;

fn accept(listener: &TcpListener, service: Service, open: &Arc<AtomicUsize>) {
    for stream in listener.incoming().flatten() {
        if open.fetch_add(1, Ordering::Relaxed) >= CONNECTIONS_MAX {
            open.fetch_sub(1, Ordering::Relaxed);
            continue;
        }
        let open = Arc::clone(open);
        thread::spawn(move || {
            // A peer that goes away is the peer's business.
            service(stream).ok();
            open.fetch_sub(1, Ordering::Relaxed);
        });
    }
}

fn serve_http(mut stream: TcpStream) -> std::io::Result<()> {
    stream.set_read_timeout(Some(IDLE))?;
    let mut head: Vec<u8> = Vec::new();
    let mut chunk = [0; 2048];
    while !head.windows(4).any(|window| window == b"\r\n\r\n") {
        let read = stream.read(&mut chunk)?;
        if read == 0 || head.len() > HEAD_BYTES_MAX {
            return Ok(());
        }
        head.extend(chunk.iter().take(read));
    }
    stream.write_all(
        b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 6\r\n\
          Connection: close\r\n\r\nhello\n",
    )
}

fn serve_echo(mut stream: TcpStream) -> std::io::Result<()> {
    stream.set_read_timeout(Some(IDLE))?;
    stream.set_nodelay(true)?;
    let mut chunk = [0; 2048];
    loop {
        let read = stream.read(&mut chunk)?;
        if read == 0 {
            return Ok(());
        }
        stream.write_all(chunk.get(..read).unwrap_or_default())?;
    }
}
