//! Conversations of SMTP, FTP, POP3, IMAP and TFTP through the sensor: the records that come out,
//! however the bytes are cut.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "tests"
)]

use etherparse::PacketBuilder;
use packet::eve::{Now, Output, Recorder};
use packet::settings::Settings;
use packet::{Config, Frame, LinkType, Sensor, Way};
use serde_json::{Value, json};

/// Chunks with their sender: the client, or the server.
type Chunks<'a> = &'a [(bool, &'a str)];

const SETTINGS: &str = "outputs:\n- eve-log:\n    enabled: yes\n    types:\n    \
    - smtp:\n        custom: [subject, received, bcc]\n        md5: [body, subject]\n    \
    - files:\n        force-hash: [md5]\n    - anomaly\n    - ftp\n    - pop3\n    - tftp\n    - flow\n\
    app-layer:\n  protocols:\n    smtp:\n      mime:\n        body-md5: yes\n";

#[test]
fn a_mail_with_attachments() {
    let body = "From: a <a@x>\r\nTo: b <b@x>, \"c, d\" <c@x>\r\nSubject: one\r\n  two\r\n\
        Received: r1\r\nReceived: r2\r\nContent-Type: multipart/mixed;\r\n boundary=\"bb\"\r\n\r\n\
        nobody reads http://this.example/\r\n--bb\r\nContent-Type: text/html\r\n\r\n\
        <a href=\"http://u.example/x\">\r\n--bb\r\n\
        Content-Disposition: attachment; filename*0=h; filename*1=i.bin\r\n\
        Content-Transfer-Encoding: base64\r\n\r\naGVs\r\nb*G8=\r\n--bb\r\n\
        content-disposition: ATTACHMENT; FILENAME = \"q.txt\"\r\n\
        Content-Transfer-Encoding: quoted-printable\r\n\r\na=3Db=\r\nc\r\n--bb--\r\n.\r\n";
    let chunks = mail(
        &["EHLO me\r\n", "MAIL FROM:<a@x>\r\n", "RCPT TO:<b@x>\r\n"],
        body,
    );
    let records = alike(&chunks);
    let smtp = of(&records, "smtp");
    assert_eq!(
        smtp[0]["smtp"],
        json!({"helo": "me", "mail_from": "<a@x>", "rcpt_to": ["<b@x>"]})
    );
    let email = &smtp[0]["email"];
    assert_eq!(email["to"], json!(["b <b@x>", "\"c, d\" <c@x>"]));
    assert_eq!(email["subject"], "one two");
    assert_eq!(email["received"], json!(["r1", "r2"]));
    assert_eq!(email["status"], "PARSE_DONE");
    assert_eq!(email["attachment"], json!(["hi.bin", "q.txt"]));
    assert_eq!(email["url"], json!(["u.example/x"]));
    assert!(email["body_md5"].is_string() && email["subject_md5"].is_string());
    let files = of(&records, "fileinfo");
    assert_eq!(files.len(), 2);
    // MD5 of "hello"
    assert_eq!(
        files[0]["fileinfo"]["md5"],
        "5d41402abc4b2a76b9719d911017c592"
    );
    assert_eq!(files[1]["fileinfo"]["size"], 6);
    assert_eq!(files[1]["email"]["attachment"], email["attachment"]);
    assert_eq!(smtp[1]["smtp"], json!({"helo": "me"}), "QUIT");
}

#[test]
fn what_is_pipelined_and_what_is_refused() {
    let records = alike(&[
        (false, "220 x ESMTP\r\n"),
        (true, "EHLO me\r\n"),
        (false, "250 ok\r\n"),
        (
            true,
            "MAIL FROM:<a>\r\nDATA\r\nSubject: early\r\n\r\nx\r\n.\r\n",
        ),
        (false, "250 ok\r\n354 go\r\n250 sent\r\n"),
        (true, "RSET\r\n"),
        (false, "250 ok\r\n"),
        (true, "DATA\r\n"),
        (false, "503 no\r\n"),
        (true, "STARTTLS\r\n"),
        (false, "454 no\r\n"),
    ]);
    let smtp = of(&records, "smtp");
    assert_eq!(smtp[0]["email"]["subject"], "early");
    let subjects: Vec<_> = smtp
        .iter()
        .filter(|r| r["email"]["subject"].is_string())
        .collect();
    assert_eq!(subjects.len(), 1);
    let events = events(&records);
    assert!(events.contains(&"DATA_COMMAND_REJECTED".to_owned()));
    assert!(events.contains(&"TLS_REJECTED".to_owned()));
}

#[test]
fn chunks_carry_a_mail_too() {
    let records = alike(&[
        (false, "220 x ESMTP\r\n"),
        (true, "EHLO me\r\n"),
        (false, "250 ok\r\n"),
        (true, "BDAT 16\r\nSubject: s\r\n\r\nht"),
        (false, "250 ok\r\n"),
        (true, "BDAT 99999999\r\n"),
        (false, "552 too much\r\n"),
        (true, "BDAT 11 LAST\r\ntp://b.c/ \n"),
        (false, "250 ok\r\n"),
    ]);
    let email = &of(&records, "smtp")[0]["email"];
    assert_eq!(email["subject"], "s");
    assert_eq!(email["url"], json!(["b.c/"]));
}

#[test]
fn a_boundary_left_open_hides_nothing() {
    let body = "Content-Type: multipart/mixed; boundary=out\r\n\r\n--out\r\n\
        Content-Type: multipart/mixed; boundary=in\r\n\r\n--in\r\n\
        Content-Disposition: inline; filename=1\r\n\r\none\r\n--out\r\n\
        Content-Disposition: inline; filename=2\r\n\r\ntwo\r\n--out--\r\n.\r\n";
    let records = alike(&mail(&["HELO a\r\n"], body));
    let files = of(&records, "fileinfo");
    let sizes: Vec<_> = files.iter().map(|file| &file["fileinfo"]["size"]).collect();
    assert_eq!(sizes, [3, 3]);
}

#[test]
fn ftp_announces_its_data() {
    let mut net = Net::default();
    let control = Ends {
        client: 40000,
        server: 21,
    };
    net.open(control);
    for (from_client, text) in [
        (false, "220 (ftp)\r\n"),
        (true, "USER a\r\n"),
        (false, "331-more\r\n331 pw\r\n"),
        (true, "PASV\r\n"),
        (false, "227 Entering (198,51,100,2,200,10).\r\n"),
        (true, "RETR d/f.txt\r\n"),
        (false, "150 o\r\n"),
    ] {
        net.data(control, from_client, text.as_bytes());
    }
    let data = Ends {
        client: 40001,
        server: 200 * 256 + 10,
    };
    net.open(data);
    net.data(data, false, b"hello");
    net.close(data);
    net.data(control, false, b"226 done\r\n");
    let records = net.records();
    let ftp = of(&records, "ftp");
    assert_eq!(
        ftp[1]["ftp"],
        json!({"command": "USER", "command_data": "a", "command_truncated": false,
            "completion_code": ["331"], "reply": ["331-more", "pw"],
            "reply_received": "yes", "reply_truncated": false})
    );
    assert_eq!(ftp[2]["ftp"]["dynamic_port"], 51210);
    assert_eq!(ftp[2]["ftp"]["mode"], "passive");
    assert_eq!(ftp[3]["ftp"]["completion_code"], json!(["150", "226"]));
    let data = of(&records, "ftp_data");
    assert_eq!(
        data[0]["ftp_data"],
        json!({"filename": "d/f.txt", "command": "RETR"})
    );
    let file = &of(&records, "fileinfo")[0];
    assert_eq!(file["fileinfo"]["md5"], "5d41402abc4b2a76b9719d911017c592");
    assert_eq!(
        (&file["app_proto"], &file["src_port"]),
        (&json!("ftp-data"), &json!(51210))
    );
}

#[test]
fn pop3_exchanges() {
    let records = alike(&[
        (false, "+OK ready\r\n"),
        (true, "USER a\r\nLIST\r\n"),
        (false, "+OK\r\n+OK 2\r\n1 5\r\n..x\r\n.\r\n"),
        (true, "XYZ\r\n"),
        (false, "-ERR no\r\n"),
    ]);
    let pop3 = of(&records, "pop3");
    assert_eq!(pop3.len(), 4);
    assert_eq!(
        pop3[2]["pop3"],
        json!({"request": {"command": "LIST", "args": []},
            "response": {"success": true, "status": "OK", "header": "2", "data": ["1 5", ".x"]}})
    );
    assert_eq!(pop3[3]["pop3"]["response"]["status"], "ERR");
    assert_eq!(events(&records), ["unknown_command"]);
}

#[test]
fn tls_begins_where_it_is_agreed() {
    for (first, ask, agree) in [
        ("220 x ESMTP\r\n", "STARTTLS\r\n", "220 go\r\n"),
        ("220 FTP\r\n", "AUTH TLS\r\n", "234 go\r\n"),
        ("+OK x\r\n", "STLS\r\n", "+OK go\r\n"),
        ("* OK x\r\n", "a1 STARTTLS\r\n", "a1 OK go\r\n"),
    ] {
        let mut net = Net::default();
        let ends = Ends {
            client: 40000,
            server: 8080,
        };
        net.open(ends);
        net.data(ends, false, first.as_bytes());
        net.data(ends, true, ask.as_bytes());
        net.data(ends, false, agree.as_bytes());
        net.data(ends, true, b"\x16\x03\x01\x00\x30\x01\x00\x00\x2c\x03\x03");
        let flow = &of(&net.records(), "flow")[0];
        assert_eq!(flow["app_proto"], "tls", "{first}");
    }
}

#[test]
fn tftp_requests() {
    let mut net = Net::default();
    let mut frame = Vec::new();
    PacketBuilder::ipv4([192, 0, 2, 1], [198, 51, 100, 2], 64)
        .udp(40000, 69)
        .write(&mut frame, b"\0\x01f.txt\0OCTET\0")
        .unwrap();
    net.frames.push(frame);
    let tftp = &of(&net.records(), "tftp")[0]["tftp"];
    assert_eq!(
        *tftp,
        json!({"packet": "read", "file": "f.txt", "mode": "octet"})
    );
}

#[test]
fn damaged_conversations_end_well() {
    let body = "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\
        Content-Disposition: a; filename*=u''%41\r\nContent-Transfer-Encoding: base64\r\n\r\n\
        aGVsbG8=\r\n--b--\r\n.\r\n";
    let mut seed = 7_u32;
    for round in 0..400 {
        let mut chunks: Vec<(bool, Vec<u8>)> = mail(&["EHLO a\r\n", "RCPT TO:<b>\r\n"], body)
            .iter()
            .map(|(from_client, text)| (*from_client, text.as_bytes().to_vec()))
            .collect();
        for _ in 0..=round % 5 {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let number = usize::try_from(seed >> 8).unwrap();
            let at = number % chunks.len();
            let chunk = &mut chunks[at].1;
            let place = number / 7 % chunk.len().max(1);
            match number % 4 {
                0 => chunk.truncate(place),
                1 => chunk.insert(place.min(chunk.len()), (number >> 9).to_le_bytes()[0]),
                2 => _ = (!chunk.is_empty()).then(|| chunk.remove(place)),
                _ => chunk.extend_from_within(..place),
            }
        }
        let mut net = Net::default();
        let ends = Ends {
            client: 40000,
            server: 25,
        };
        net.open(ends);
        for (from_client, chunk) in &chunks {
            net.data(ends, *from_client, chunk);
        }
        net.records();
    }
}

/// A mail with what must be said around it.
fn mail<'a>(commands: &[&'a str], body: &'a str) -> Vec<(bool, &'a str)> {
    let mut chunks = vec![(false, "220 x ESMTP\r\n")];
    for command in commands.iter().copied().chain(["DATA\r\n"]) {
        chunks.push((true, command));
        chunks.push((
            false,
            if command == "DATA\r\n" {
                "354 go\r\n"
            } else {
                "250 ok\r\n"
            },
        ));
    }
    chunks.extend([(true, body), (false, "250 ok\r\n"), (true, "QUIT\r\n")]);
    chunks
}

/// The records of a conversation; they must be the same when it comes byte by byte.
fn alike(chunks: Chunks<'_>) -> Vec<Value> {
    let run = |by_bytes: bool| {
        let mut net = Net::default();
        let ends = Ends {
            client: 40000,
            server: 8080,
        };
        net.open(ends);
        for (from_client, text) in chunks {
            let len = if by_bytes { 1 } else { text.len() };
            for piece in text.as_bytes().chunks(len) {
                net.data(ends, *from_client, piece);
            }
        }
        net.close(ends);
        net.records()
    };
    let whole = run(false);
    let relevant = |records: &[Value]| -> Vec<Value> {
        let kept = records.iter().filter(|record| {
            // where commands are pipelined, only one packet shows it
            !matches!(record["event_type"].as_str(), Some("flow"))
                && record["anomaly"]["event"] != "INVALID_PIPELINED_SEQUENCE"
        });
        kept.cloned()
            .map(|mut record| {
                for key in ["timestamp", "pcap_cnt"] {
                    record.as_object_mut().unwrap().remove(key);
                }
                record
            })
            .collect()
    };
    assert_eq!(relevant(&whole), relevant(&run(true)));
    whole
}

fn of(records: &[Value], kind: &str) -> Vec<Value> {
    let found = records.iter().filter(|record| record["event_type"] == kind);
    found.cloned().collect()
}

fn events(records: &[Value]) -> Vec<String> {
    let events = of(records, "anomaly");
    let names = events
        .iter()
        .filter_map(|record| record["anomaly"]["event"].as_str());
    names.map(str::to_owned).collect()
}

/// The ports of a connection.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Ends {
    client: u16,
    server: u16,
}

/// Connections as frames.
#[derive(Default)]
struct Net {
    frames: Vec<Vec<u8>>,
    /// Next sequence numbers of client and server.
    numbers: Vec<(Ends, [u32; 2])>,
}

impl Net {
    fn open(&mut self, ends: Ends) {
        self.numbers.push((ends, [1000, 5000]));
        self.segment(ends, true, &[], |tcp, _| tcp.syn());
        self.numbers.last_mut().unwrap().1[0] += 1;
        self.segment(ends, false, &[], |tcp, ack| tcp.syn().ack(ack));
        self.numbers.last_mut().unwrap().1[1] += 1;
        self.data(ends, true, &[]);
    }

    fn data(&mut self, ends: Ends, from_client: bool, data: &[u8]) {
        self.segment(ends, from_client, data, |tcp, ack| tcp.ack(ack));
        let numbers = self
            .numbers
            .iter_mut()
            .find(|(known, _)| *known == ends)
            .unwrap();
        numbers.1[usize::from(!from_client)] += u32::try_from(data.len()).unwrap();
        // the other side has it
        if !data.is_empty() {
            self.segment(ends, !from_client, &[], |tcp, ack| tcp.ack(ack));
        }
    }

    fn close(&mut self, ends: Ends) {
        for from_client in [true, false] {
            self.segment(ends, from_client, &[], |tcp, ack| tcp.fin().ack(ack));
            let numbers = self
                .numbers
                .iter_mut()
                .find(|(known, _)| *known == ends)
                .unwrap();
            numbers.1[usize::from(!from_client)] += 1;
        }
        self.data(ends, true, &[]);
    }

    fn segment(
        &mut self,
        ends: Ends,
        from_client: bool,
        data: &[u8],
        flags: impl FnOnce(
            etherparse::PacketBuilderStep<etherparse::TcpHeader>,
            u32,
        ) -> etherparse::PacketBuilderStep<etherparse::TcpHeader>,
    ) {
        let (_, [client, server]) = self
            .numbers
            .iter()
            .find(|(known, _)| *known == ends)
            .unwrap();
        let (a, b) = ([192, 0, 2, 1], [198, 51, 100, 2]);
        let step = if from_client {
            let tcp = PacketBuilder::ipv4(a, b, 64).tcp(ends.client, ends.server, *client, 65535);
            flags(tcp, *server)
        } else {
            let tcp = PacketBuilder::ipv4(b, a, 64).tcp(ends.server, ends.client, *server, 65535);
            flags(tcp, *client)
        };
        let mut frame = Vec::new();
        step.write(&mut frame, data).unwrap();
        self.frames.push(frame);
    }

    fn records(&self) -> Vec<Value> {
        let settings = Settings::parse(SETTINGS).unwrap();
        let mut recorder = Recorder::new(Output::from_settings(&settings));
        let mut sensor = Sensor::new(Config::from_settings(&settings));
        let mut records = Vec::new();
        let mut emit =
            |_: usize, line: &str| records.push(serde_json::from_str::<Value>(line).unwrap());
        let mut now = Now::default();
        for frame in &self.frames {
            now.packet += 1;
            now.ts_ns += 1_000_000;
            let frame = Frame {
                ts_ns: now.ts_ns,
                link: LinkType::Raw,
                data: frame,
                wire_len: u32::try_from(frame.len()).unwrap(),
                way: Way::default(),
            };
            sensor.packet(&frame, &mut |event| recorder.event(&event, now, &mut emit));
        }
        sensor.finish(&mut |event| recorder.event(&event, now, &mut emit));
        records
    }
}
