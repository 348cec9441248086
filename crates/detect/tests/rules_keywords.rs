//! Keywords over conversations that are written here: what they match, and in which direction.
#![expect(clippy::expect_used, clippy::arithmetic_side_effects, reason = "tests")]

use std::sync::Arc;

use detect::rules::dataset::{Datasets, Limits};
use detect::rules::state::Names;
use detect::rules::{Classes, Compiler, Inspector, Options, RuleSet, Vars};
use packet::settings::Settings;
use packet::{Config, Frame, LinkType, Sensor, Way};
use testkit::conversation::{Conversation, Plan};

const CLIENT: u8 = 0;
const SERVER: u8 = 1;

#[test]
fn numbers_of_calls_are_in_the_order_of_bytes_that_their_heads_say() {
    let rules = r#"
alert dcerpc any any -> any any (flow:to_server; dcerpc.stub_data; byte_test:4,=,0x01020304,0,dce; sid:1;)
alert dcerpc any any -> any any (flow:to_client; dcerpc.stub_data; byte_test:4,=,0x01020304,0,dce; sid:2;)
alert dcerpc any any -> any any (flow:to_server; dcerpc.stub_data; byte_jump:4,4,dce; content:"here"; distance:0; within:4; sid:3;)
alert dcerpc any any -> any any (flow:to_server; dcerpc.stub_data; byte_extract:4,4,jump,dce; content:"here"; offset:jump; sid:4;)
alert dcerpc any any -> any any (flow:to_server; dcerpc.stub_data; byte_math:bytes 4,offset 4,oper +,rvalue 3,result sum,endian dce; content:"here"; offset:sum; sid:5;)
alert dcerpc any any -> any any (flow:to_server; dcerpc.stub_data; byte_test:4,=,0x01020304,0,little; sid:6;)
alert dcerpc any any -> any any (flow:to_server; dcerpc.stub_data; byte_test:4,=,0x01020304,0,big; sid:7;)
"#;
    let rules = compiled(rules);
    for (little, also) in [(true, 6), (false, 7)] {
        let number = |number: u32| match little {
            true => number.to_le_bytes(),
            false => number.to_be_bytes(),
        };
        // the number, a distance of three bytes behind it, and what is there
        let stub = [&number(0x0102_0304)[..], &number(3), b"...here"].concat();
        // the server counts the other way than the client
        let answer = match little {
            true => 0x0102_0304_u32.to_be_bytes(),
            false => 0x0102_0304_u32.to_le_bytes(),
        };
        let talk = [
            (CLIENT, pdu(0, little, &stub)),
            (SERVER, pdu(2, !little, &[&answer[..], b"rest"].concat())),
        ];
        assert_eq!(
            alerts(&rules, &talk),
            [1, 2, 3, 4, 5, also],
            "little: {little}"
        );
    }
}

/// A request (0) or response (2) of a connection (C706 section 12.6.4).
fn pdu(kind: u8, little: bool, stub: &[u8]) -> Vec<u8> {
    let len = u16::try_from(24 + stub.len()).expect("short");
    let short = |number: u16| match little {
        true => number.to_le_bytes(),
        false => number.to_be_bytes(),
    };
    let long = |number: u32| match little {
        true => number.to_le_bytes(),
        false => number.to_be_bytes(),
    };
    let format = if little { 0x10 } else { 0 };
    let mut pdu = vec![5, 0, kind, 3, format, 0, 0, 0];
    pdu.extend(short(len));
    pdu.extend(short(0));
    pdu.extend(long(7));
    pdu.extend(long(u32::try_from(stub.len()).expect("short")));
    pdu.extend(short(0));
    pdu.extend(short(9));
    pdu.extend(stub);
    pdu
}

#[test]
fn banners_of_ssh_have_versions() {
    let rules = compiled(
        r#"
alert ssh any any -> any any (flow:to_server; ssh.protoversion:2.0; sid:1;)
alert ssh any any -> any any (flow:to_client; ssh.protoversion:1.99; sid:2;)
alert ssh any any -> any any (flow:to_server; ssh.protoversion:2_compat; sid:3;)
alert ssh any any -> any any (flow:to_client; ssh.protoversion:2_compat; sid:4;)
alert ssh any any -> any any (flow:to_server; ssh.protoversion:1.99; sid:5;)
alert ssh any any -> any any (ssh.protoversion:2; sid:6;)
alert ssh any any -> any any (flow:to_server; ssh.softwareversion:"openssh"; sid:7;)
alert ssh any any -> any any (flow:to_client; ssh.softwareversion:"OPENSSH"; sid:8;)
alert ssh any any -> any any (flow:to_client; ssh.softwareversion:other; sid:9;)
alert ssh any any -> any any (flow:to_server; ssh.proto; content:"2.0"; bsize:3; sid:10;)
alert ssh any any -> any any (flow:to_client; ssh.software; content:"Other_"; startswith; sid:11;)
"#,
    );
    let talk = [
        (SERVER, b"SSH-1.99-Other_1.0\r\n".to_vec()),
        (CLIENT, b"SSH-2.0-OpenSSH_9.6 a comment\r\n".to_vec()),
    ];
    assert_eq!(alerts(&rules, &talk), [1, 2, 3, 4, 7, 9, 10, 11]);
    let old = [
        (SERVER, b"SSH-1.5-Old\r\n".to_vec()),
        (CLIENT, b"SSH-1.5-Old\r\n".to_vec()),
    ];
    assert!(alerts(&rules, &old).is_empty());
}

#[test]
fn asn1_is_looked_through_from_a_place() {
    let rules = compiled(
        r#"
alert tcp any any -> any any (content:"begin"; asn1:bitstring_overflow,relative_offset 0; sid:1;)
alert tcp any any -> any any (content:"begin"; asn1:bitstring_overflow,relative_offset 1; sid:2;)
alert tcp any any -> any any (asn1:bitstring_overflow,absolute_offset 5; sid:3;)
alert tcp any any -> any any (asn1:oversize_length 500,absolute_offset 5; sid:4;)
alert tcp any any -> any any (asn1:double_overflow,oversize_length 200,absolute_offset 5; sid:5;)
alert tcp any any -> any any (content:"behind"; asn1:bitstring_overflow,relative_offset -12; sid:6;)
alert tcp any any -> any any (asn1:oversize_length 1,absolute_offset 500; sid:7;)
"#,
    );
    // a sequence of a string of bits of which 99 are unused
    let data = [&b"begin"[..], &[0x30, 4, 3, 2, 99, 0], b"behind"].concat();
    assert_eq!(alerts(&rules, &[(CLIENT, data)]), [1, 3, 6]);
    let long = [&b"begin"[..], &[0x30, 0x82, 2, 0, 4, 1, 0], b"behind"].concat();
    assert_eq!(alerts(&rules, &[(CLIENT, long)]), [4, 5]);
}

#[test]
fn sets_of_the_settings_are_there_for_rules() {
    let yaml = "datasets:\n  defaults: {memcap: 1 MiB}\n  hosts: {type: string, load: hosts.lst}\n  \
                new: {type: string, state: none.lst}\n  lost: {type: string, load: none.lst}\n  wrong: {type: colour}\n";
    let settings = Settings::parse(yaml).expect("settings");
    let files = |name: &str| (name == "hosts.lst").then(|| b"d3d3LmV4YW1wbGU=\n".to_vec());
    let mut names = Names::default();
    let mut compiler = Compiler::new(
        Vars::usual(),
        Classes::default(),
        &mut names,
        Datasets::new(Limits::from_settings(&settings)),
        &files,
    );
    compiler.declare_sets(&settings);
    let [lost, wrong] = compiler.warnings() else {
        panic!("{:?}", compiler.warnings());
    };
    assert_eq!(lost, "datasets.lost: the file \"none.lst\" cannot be read");
    assert!(wrong.starts_with("datasets.wrong: type is"), "{wrong}");
    let rules = r#"
alert http any any -> any any (http.host; dataset:isset,hosts; sid:1;)
alert http any any -> any any (http.host; dataset:set,new; sid:2;)
alert http any any -> any any (http.host; dataset:isset,hosts,type md5; sid:3;)
alert http any any -> any any (http.host; dataset:isset,wrong; sid:4;)
"#;
    compiler.file("test", rules);
    assert_eq!(compiler.diagnostics().len(), 2);
    let request = b"GET / HTTP/1.1\r\nHost: www.example\r\n\r\n".to_vec();
    let rules = Arc::new(compiler.finish());
    assert_eq!(alerts(&rules, &[(CLIENT, request.clone())]), [1, 2]);
    assert_eq!(
        alerts(&rules, &[(CLIENT, request)]),
        [1],
        "it is in the set by now"
    );
}

#[test]
fn the_context_of_an_alert_is_bounded() {
    let object = |key: usize| {
        format!(
            "{{\"h\": \"www.example\", \"n\": \"{}\"}}\n",
            key.to_string().repeat(4_000)
        )
    };
    let files = move |name: &str| Some(object(name.parse().ok()?).into_bytes());
    let sets: String = (10..50)
        .map(|set| {
            format!("http.host; dataset:isset,s{set},type string,load {set},format ndjson,value_key h,context_key k{set};")
        })
        .collect();
    let rule = format!("alert http any any -> any any ({} sid:1;)", sets);
    let mut names = Names::default();
    let sets = Datasets::default();
    let mut compiler = Compiler::new(Vars::usual(), Classes::default(), &mut names, sets, &files);
    compiler.file("test", &rule);
    assert!(
        compiler.diagnostics().is_empty(),
        "{:?}",
        compiler.diagnostics()
    );
    let rules = Arc::new(compiler.finish());
    let request = b"GET / HTTP/1.1\r\nHost: www.example\r\n\r\n".to_vec();
    let mut contexts = Vec::new();
    let mut look = |inspector: &mut Inspector| {
        contexts.extend(inspector.alerts().map(|alert| alert.context.len()));
    };
    run(&rules, &[(CLIENT, request)], &mut look);
    let [context] = &contexts[..] else {
        panic!("{contexts:?}");
    };
    assert!((40 << 10..=66 << 10).contains(context), "{context}");
}

type Said = (u8, Vec<u8>);

/// The rules that alert, each once, in order.
fn alerts(rules: &Arc<RuleSet>, talk: &[Said]) -> Vec<u32> {
    let mut found = Vec::new();
    run(rules, talk, &mut |inspector| {
        let alerts = inspector.alerts();
        found.extend(alerts.filter_map(|alert| Some(alert.rule()?.id.sid)));
    });
    found.sort_unstable();
    found.dedup();
    found
}

fn run(rules: &Arc<RuleSet>, talk: &[Said], look: &mut dyn FnMut(&mut Inspector)) {
    let mut sensor = Sensor::new(Config {
        inspect: true,
        ..Config::default()
    });
    let mut inspector = Inspector::new(Options::default(), Arc::clone(rules));
    let chunks = talk.iter().map(|(side, data)| {
        let len = u16::try_from(data.len()).expect("short").to_be_bytes();
        [&[*side][..], &len, data].concat()
    });
    let talk = Conversation::read(&chunks.collect::<Vec<_>>().concat());
    for (ts_ns, data) in talk.tcp(8_080, Plan::WHOLE).iter() {
        let frame = Frame {
            ts_ns,
            link: LinkType::Ethernet,
            data,
            wire_len: u32::try_from(data.len()).expect("short"),
            way: Way::Unknown,
        };
        sensor.packet(&frame, &mut |event| {
            inspector.event(&event, ts_ns);
            look(&mut inspector);
        });
    }
    sensor.finish(&mut |event| {
        inspector.event(&event, 0);
        look(&mut inspector);
    });
}

fn compiled(text: &str) -> Arc<RuleSet> {
    let mut names = Names::default();
    let none = |_: &str| None;
    let sets = Datasets::default();
    let mut compiler = Compiler::new(Vars::usual(), Classes::default(), &mut names, sets, &none);
    compiler.file("test", text);
    let told = compiler.diagnostics();
    assert!(told.is_empty(), "{told:?}");
    Arc::new(compiler.finish())
}
