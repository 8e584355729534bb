//! SPF: the suite of openspf.org for RFC 7208, explanations and all.
use pillarbox::dns::{Answer, Data, Found, Kind, Question};
use pillarbox::verify::spf::{Sender, check};
use pillarbox::verify::{Answers, Need};
use serde_json::Value;

/// The suite's zone as a DNS: aliases followed, `TIMEOUT` a failure, as its Python driver reads it.
fn lookup(zone: &Value, question: &Question) -> Answer {
    let mut name = question.name.clone();
    let answer = |found| Answer {
        found,
        secure: false,
    };
    for _ in 0..8 {
        let Some(rows) = zone.get(&name).and_then(Value::as_array) else {
            let failed = name.starts_with("error.");
            return answer(if failed { Found::Failed } else { Found::NoName });
        };
        let mut found = Vec::new();
        let mut alias = None;
        for row in rows {
            let (kind, value) = (row[0].as_str().unwrap(), &row[1]);
            if value == "TIMEOUT" {
                // The whole name, unless what was asked for has come before.
                let ours = kind == "*" || kind == word(question.kind);
                if ours && found.is_empty() {
                    return answer(Found::Failed);
                }
                continue;
            }
            if kind == "CNAME" {
                alias = value.as_str();
            } else if kind == word(question.kind) {
                found.push(data(question.kind, value));
            }
        }
        if !found.is_empty() {
            return answer(Found::Records(found));
        }
        match alias {
            Some(to) => name = to.to_lowercase(),
            None => return answer(Found::NoData),
        }
    }
    answer(Found::Failed)
}

fn word(kind: Kind) -> &'static str {
    match kind {
        Kind::A => "A",
        Kind::Aaaa => "AAAA",
        Kind::Mx => "MX",
        Kind::Txt => "TXT",
        Kind::Ptr => "PTR",
        _ => "?",
    }
}

fn data(kind: Kind, value: &Value) -> Data {
    let text = value.as_str().unwrap_or_default();
    match kind {
        Kind::A => Data::A(text.parse().unwrap()),
        Kind::Aaaa => Data::Aaaa(text.parse().unwrap()),
        Kind::Mx => Data::Mx(
            value[0].as_u64().unwrap() as u16,
            value[1].as_str().unwrap().to_lowercase(),
        ),
        Kind::Ptr => Data::Ptr(text.to_lowercase()),
        _ => Data::Txt(text.as_bytes().to_vec()),
    }
}

#[test]
fn openspf() {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/data/spf/rfc7208-tests.json"
    );
    let suite: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let (mut count, mut explained, mut wrong) = (0, 0, Vec::new());
    for scenario in suite.as_array().unwrap() {
        for (name, test) in scenario["tests"].as_object().unwrap() {
            let sender = Sender {
                ip: test["host"].as_str().unwrap().parse().unwrap(),
                helo: test["helo"].as_str().unwrap(),
                from: test["mailfrom"].as_str().unwrap().rsplit_once('@'),
                receiver: "receiver.test",
                now: 1_000_000_000,
            };
            let mut answers = Answers::default();
            let checked = loop {
                match check(&sender, &answers) {
                    Ok(checked) => break checked,
                    Err(Need(question)) => {
                        let answer = lookup(&scenario["zone"], &question);
                        answers.put(question, answer);
                    }
                }
            };
            count += 1;
            let outcome = checked.outcome.word();
            let allowed = test["result"].as_array().unwrap();
            if !allowed.iter().any(|word| word == outcome) {
                wrong.push(format!(
                    "{}/{name}: {outcome}, not {allowed:?}",
                    scenario["description"]
                ));
            }
            // Letter case is free in the nibbles of `%{i}`. DEFAULT is what a receiver says of itself: nothing, here.
            let wanted = test["explanation"]
                .as_str()
                .filter(|text| *text != "DEFAULT");
            explained += usize::from(wanted.is_some());
            if test.get("explanation").is_some()
                && checked.explanation.as_deref().map(str::to_lowercase)
                    != wanted.map(str::to_lowercase)
            {
                let got = checked.explanation;
                wrong.push(format!("{name}: {got:?}, not {wanted:?}"));
            }
        }
    }
    assert!(count > 150 && explained > 10, "{count}");
    assert!(
        wrong.is_empty(),
        "{count} tests, wrong:\n{}",
        wrong.join("\n")
    );
}
