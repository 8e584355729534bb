//! MTA-STS: records, policies, and the hosts that they allow.
#![no_main]
use libfuzzer_sys::fuzz_target;
use pillarbox::queue::sts::{Policy, id};

fuzz_target!(|input: &[u8]| {
    if let Some(id) = id(input) {
        assert!((1..=32).contains(&id.len()));
    }
    if let Some(policy) = Policy::parse(input) {
        for mx in &policy.mx {
            let host = mx.strip_prefix("*.").map_or(mx.clone(), |below| format!("a.{below}"));
            assert!(policy.allows(&host), "{mx}");
        }
        policy.allows("a.b.test");
    }
});
