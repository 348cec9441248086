//! What holds whatever is asked.

use super::*;

fn any_net() -> impl Strategy<Value = IpNet> {
    let v4 = (any::<u32>(), 0..=32_u8)
        .prop_map(|(bits, len)| IpNet::new(Ipv4Addr::from(bits).into(), len).unwrap());
    let near = (0x0a02_0000_u32..0x0a02_0200, 8..=32_u8)
        .prop_map(|(bits, len)| IpNet::new(Ipv4Addr::from(bits).into(), len).unwrap());
    let v6 = (any::<u128>(), 0..=128_u8)
        .prop_map(|(bits, len)| IpNet::new(Ipv6Addr::from(bits).into(), len).unwrap());
    let mapped = (any::<u32>(), 96..=128_u8).prop_map(|(bits, len)| {
        IpNet::new(Ipv4Addr::from(bits).to_ipv6_mapped().into(), len).unwrap()
    });
    prop_oneof![v4, near, v6, mapped]
}

fn any_request() -> impl Strategy<Value = LeaseRequest> {
    let selector = prop_oneof![
        4 => any_net().prop_map(Selector::Source),
        1 => any_net().prop_map(Selector::Destination),
        1 => Just(Selector::Domain("evil.example".into())),
    ];
    let action = prop::sample::select(vec![
        Wanted::Monitor,
        Wanted::Tag,
        Wanted::RateLimit,
        Wanted::Reject,
        Wanted::Drop,
    ]);
    let evidence = prop::sample::select(vec![
        EvidenceClass::Unproven,
        EvidenceClass::PathProven,
        EvidenceClass::Exploit,
        EvidenceClass::Token,
    ]);
    let service = prop::option::of((any::<u32>(), prop::option::of(any::<u16>())).prop_map(
        |(address, port)| lease::Service {
            address: Some(Ipv4Addr::from(address).into()),
            protocol: Proto::Tcp,
            port,
        },
    ));
    (selector, service, action, any::<u32>(), evidence).prop_map(
        |(selector, service, action, ttl_s, evidence)| LeaseRequest {
            selector,
            service,
            action,
            ttl_s,
            evidence,
            detector: "d@1".into(),
            audience: Vec::new(),
        },
    )
}

fn any_word() -> impl Strategy<Value = Word<'static>> {
    prop_oneof![
        Just(Word::Own),
        (1..5_usize).prop_map(|partners| Word::OwnSight { partners }),
        Just(Word::Partner("bravo")),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn whatever_is_asked_the_bounds_hold(
        request in any_request(),
        word in any_word(),
        confidence in prop::option::of(0..=100_u8),
        strikes in any::<u32>(),
        sessions in 0..20_u32,
        protected in prop::collection::vec(any_net(), 0..4),
        lease_max_s in 1..100_000_u64,
        valid_s in prop::option::of(-100..1_000_i64),
        claimed in any_net(),
        enforce in any::<bool>(),
    ) {
        let mut policy = policy();
        policy.protected = Protected::new(protected.clone());
        policy.settings.lease_max = Duration::from_secs(lease_max_s);
        policy.settings.enforce = enforce;
        let mut head = head("192.0.2.9", |_| {});
        head.valid_until = valid_s.map(|s| Timestamp::from_micros(now().as_micros() + s * 1_000_000));
        let pattern = Pattern { terms: vec![stix::pattern::Term::Address(claimed), request.selector.term()] };
        let foreign = word.is_foreign();
        let partner = matches!(word, Word::Partner(_));
        let ask = Ask {
            word,
            head: partner.then_some(&head),
            request: Some(&request),
            pattern: partner.then_some(&pattern),
            confidence,
            strikes,
        };
        let decision = decide(&policy, &ask, &standing(sessions), now());
        prop_assert_eq!(&decision, &decide(&policy, &ask, &standing(sessions), now()), "a function");
        let Decision::Install { key, action, until, .. } = decision else { return Ok(()) };
        let Selector::Source(asked) = &request.selector else { panic!("only sources are leased") };
        prop_assert_eq!(key.source, canonical(asked.trunc()), "no wider than asked");
        for net in &protected {
            prop_assert!(!overlaps(&canonical(net.trunc()), &key.source), "{} is protected", net);
        }
        prop_assert!(networks::reserved(&key.source).is_none());
        prop_assert!(until > now());
        let seconds = until.since(now());
        prop_assert!(seconds <= policy.settings.lease_max);
        prop_assert!(!foreign || seconds.as_secs() <= 60);
        prop_assert!(!partner || head.valid_until.is_some_and(|end| until <= end));
        prop_assert!(!partner || key.source.prefix_len() == key.source.max_prefix_len());
        prop_assert!(!partner || networks::private(&key.source).is_none());
        prop_assert!(is_proven(request.evidence));
        prop_assert!(confidence >= Some(policy.settings.confidence_min));
        prop_assert!(action != Action::Drop || (enforce && sessions == 0));
        prop_assert!(action == Action::Monitor || sessions <= policy.settings.benign_sessions_max);
    }

    #[test]
    fn protection_finds_every_overlap(list in prop::collection::vec(any_net(), 0..6), net in any_net()) {
        let touched = list.iter().any(|listed| overlaps(&canonical(listed.trunc()), &canonical(net)));
        prop_assert_eq!(Protected::new(list).touched_by(&net).is_some(), touched);
    }
}
