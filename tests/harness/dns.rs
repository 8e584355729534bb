//! A DNS server inside the test process: UDP and TCP on one port of loopback.
use std::collections::{HashMap, HashSet};
use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What it has been told.
#[derive(Default)]
struct Zone {
    records: HashMap<(String, u16), Vec<Vec<u8>>>,
    names: HashSet<String>,
    failing: HashSet<String>,
    silent: HashSet<String>,
    secure: bool,
    lower: bool,
    forge: bool,
    asked: Vec<(String, u16, bool)>,
}

pub struct Dns {
    address: SocketAddr,
    zone: Arc<Mutex<Zone>>,
    stop: Arc<AtomicBool>,
}

fn code(kind: &str) -> u16 {
    match kind {
        "A" => 1,
        "CNAME" => 5,
        "SOA" => 6,
        "PTR" => 12,
        "MX" => 15,
        "TXT" | "SPF" => 16,
        "AAAA" => 28,
        "SRV" => 33,
        "TLSA" => 52,
        other => panic!("{other}"),
    }
}

fn name(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    for label in text.split('.').filter(|label| !label.is_empty()) {
        out.push(label.len() as u8);
        out.extend(label.as_bytes());
    }
    out.push(0);
    out
}

fn data(kind: &str, value: &str) -> Vec<u8> {
    let words: Vec<&str> = value.split(' ').collect();
    match kind {
        "A" | "AAAA" => match value.parse().unwrap() {
            IpAddr::V4(ip) => ip.octets().to_vec(),
            IpAddr::V6(ip) => ip.octets().to_vec(),
        },
        "MX" => [
            &words[0].parse::<u16>().unwrap().to_be_bytes()[..],
            &name(words[1]),
        ]
        .concat(),
        "SRV" => {
            let mut out: Vec<u8> = Vec::new();
            for number in &words[..3] {
                out.extend(number.parse::<u16>().unwrap().to_be_bytes());
            }
            [out, name(words[3])].concat()
        }
        "TXT" | "SPF" => {
            let mut out = Vec::new();
            for piece in value.as_bytes().chunks(255) {
                out.push(piece.len() as u8);
                out.extend(piece);
            }
            if value.is_empty() {
                out.push(0);
            }
            out
        }
        "TLSA" => {
            let mut out: Vec<u8> = words[..3].iter().map(|n| n.parse().unwrap()).collect();
            let hex = words[3].as_bytes().chunks(2);
            out.extend(
                hex.map(|two| u8::from_str_radix(std::str::from_utf8(two).unwrap(), 16).unwrap()),
            );
            out
        }
        _ => name(value),
    }
}

impl Dns {
    pub fn start() -> Dns {
        let (udp, tcp) = loop {
            let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
            if let Ok(tcp) = TcpListener::bind(udp.local_addr().unwrap()) {
                break (udp, tcp);
            }
        };
        let dns = Dns {
            address: udp.local_addr().unwrap(),
            zone: Arc::default(),
            stop: Arc::default(),
        };
        let (zone, stop) = (dns.zone.clone(), dns.stop.clone());
        udp.set_read_timeout(Some(Duration::from_millis(200)))
            .unwrap();
        std::thread::spawn(move || {
            let mut octets = [0; 4096];
            while !stop.load(Ordering::SeqCst) {
                let Ok((got, from)) = udp.recv_from(&mut octets) else {
                    continue;
                };
                for answer in answer(&zone, &octets[..got], false) {
                    let _ = udp.send_to(&answer, from);
                }
            }
        });
        let (zone, stop) = (dns.zone.clone(), dns.stop.clone());
        std::thread::spawn(move || {
            for stream in tcp.incoming() {
                if stop.load(Ordering::SeqCst) {
                    return;
                }
                let (mut stream, mut length) = (stream.unwrap(), [0; 2]);
                if stream.read_exact(&mut length).is_err() {
                    continue;
                }
                let mut query = vec![0; usize::from(u16::from_be_bytes(length))];
                stream.read_exact(&mut query).unwrap();
                for answer in answer(&zone, &query, true) {
                    let _ = stream.write_all(&(answer.len() as u16).to_be_bytes());
                    let _ = stream.write_all(&answer);
                }
            }
        });
        dns
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Adds a record in the words of a zone file.
    pub fn add(&self, owner: &str, kind: &str, value: &str) -> &Dns {
        let mut zone = self.zone.lock().unwrap();
        let owner = owner.to_lowercase();
        zone.names.insert(owner.clone());
        zone.records
            .entry((owner, code(kind)))
            .or_default()
            .push(data(kind, value));
        drop(zone);
        self
    }

    /// Takes every record of a name away.
    pub fn clear(&self, owner: &str) {
        let mut zone = self.zone.lock().unwrap();
        zone.records.retain(|(name, _), _| name != owner);
        zone.names.remove(owner);
    }

    /// SERVFAIL for this name.
    pub fn fail(&self, owner: &str) {
        self.zone.lock().unwrap().failing.insert(owner.into());
    }

    /// No answer for this name.
    pub fn mute(&self, owner: &str) {
        self.zone.lock().unwrap().silent.insert(owner.into());
    }

    /// From now on every answer has the AD bit.
    pub fn secure(&self) {
        self.zone.lock().unwrap().secure = true;
    }

    /// From now on the letter case of questions is lost.
    pub fn lose_case(&self) {
        self.zone.lock().unwrap().lower = true;
    }

    /// From now on a forged datagram comes before each answer.
    pub fn forge(&self) {
        self.zone.lock().unwrap().forge = true;
    }

    /// What was asked: name, type, over TCP.
    pub fn asked(&self) -> Vec<(String, u16, bool)> {
        self.zone.lock().unwrap().asked.clone()
    }
}

impl Drop for Dns {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        let _ = std::net::TcpStream::connect(self.address);
    }
}

fn answer(zone: &Mutex<Zone>, query: &[u8], tcp: bool) -> Vec<Vec<u8>> {
    let mut zone = zone.lock().unwrap();
    let mut at = 12;
    let mut labels = Vec::new();
    while query[at] != 0 {
        let end = at + 1 + usize::from(query[at]);
        labels.push(String::from_utf8_lossy(&query[at + 1..end]).to_lowercase());
        at = end;
    }
    let kind = u16::from_be_bytes([query[at + 1], query[at + 2]]);
    let mut owner = labels.join(".");
    zone.asked.push((owner.clone(), kind, tcp));
    if zone.silent.contains(&owner) {
        return Vec::new();
    }
    let mut out = query[..at + 5].to_vec();
    if zone.lower {
        out[12..at].make_ascii_lowercase();
    }
    out[2] = 0x81;
    out[3] = 0x80 | if zone.secure { 0x20 } else { 0 };
    out[6..12].fill(0);
    if zone.failing.contains(&owner) {
        out[3] |= 2;
        return vec![out];
    }
    if !zone.names.contains(&owner) {
        out[3] |= 3;
    }
    let mut count = 0;
    let mut put = |owner: &str, kind: u16, data: &[u8]| {
        out.extend(name(owner));
        out.extend(kind.to_be_bytes());
        out.extend([0, 1, 0, 0, 0, 60]);
        out.extend((data.len() as u16).to_be_bytes());
        out.extend(data);
        count += 1;
    };
    if let Some(alias) = zone.records.get(&(owner.clone(), 5)) {
        put(&owner, 5, &alias[0]);
        let mut at = 0;
        let mut labels = Vec::new();
        while alias[0][at] != 0 {
            let end = at + 1 + usize::from(alias[0][at]);
            labels.push(String::from_utf8_lossy(&alias[0][at + 1..end]).into_owned());
            at = end;
        }
        owner = labels.join(".");
    }
    for data in zone
        .records
        .get(&(owner.clone(), kind))
        .into_iter()
        .flatten()
    {
        put(&owner, kind, data);
    }
    out[7] = count;
    if !tcp && out.len() > 1232 {
        out.truncate(at + 5);
        out[2] |= 2;
        out[7] = 0;
    }
    if zone.forge && !tcp {
        let mut forged = out.clone();
        forged[0] ^= 0x55;
        return vec![forged, b"short".to_vec(), out];
    }
    vec![out]
}
