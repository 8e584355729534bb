//! What the DNS says of the server's name and of its domains.
use super::{Facts, Report, addresses_of, is_failed};
use crate::config::is_public;
use crate::dns::{Data, Kind};
use crate::queue::{dane, sts};
use crate::verify::spf::{self, Outcome, Record, Sender};
use crate::verify::tags::Tags;
use crate::verify::{Answers, Need, iprev};
use rustls::pki_types::CertificateDer;
use std::net::{IpAddr, Ipv4Addr};

/// The server's name: its addresses, which come back, their names, and the fingerprints of DANE.
pub(super) fn host(
    facts: &Facts,
    answers: &Answers,
    report: &mut Report,
) -> Result<Vec<IpAddr>, Need> {
    let host = &facts.host;
    let what = &["address", host.as_str()];
    let (v4, v6) = (answers.get(host, Kind::A)?, answers.get(host, Kind::Aaaa)?);
    let mut addresses = Vec::new();
    addresses_of(v4, &mut addresses);
    addresses_of(v6, &mut addresses);
    if addresses.is_empty() && (is_failed(v4) || is_failed(v6)) {
        report.silent(what);
        return Ok(addresses);
    }
    if addresses.is_empty() {
        let advice = "Publish an A record (and AAAA, with IPv6) with the address that others see.";
        report.wrong(what, &["there is none"], &[advice]);
    }
    if !answers.get(host, Kind::Cname)?.records().is_empty() {
        // RFC 2181 §10.3
        let advice =
            "Give the name A and AAAA records of its own: an MX record must not name an alias.";
        report.wrong(what, &["the name is an alias (CNAME)"], &[advice]);
    }
    for ip in &addresses {
        let text = ip.to_string();
        if !is_public(*ip) {
            let advice =
                "Publish the address that the router has outside; nobody else reaches this one.";
            report.wrong(what, &[&text, " is private"], &[advice]);
            continue;
        }
        report.ok(what, &[&text]);
        name_of(host, *ip, answers, report)?;
    }
    fingerprints(facts, answers, report)?;
    Ok(addresses)
}

/// PTR: big receivers refuse mail of an address without a name that leads back.
fn name_of(host: &str, ip: IpAddr, answers: &Answers, report: &mut Report) -> Result<(), Need> {
    let text = ip.to_string();
    let what = &["PTR", text.as_str()];
    let advice = &[
        "Have whoever gives you the address (provider, hoster) set its reverse name to ",
        host,
        ".",
    ];
    match iprev::check(ip, answers)? {
        iprev::Outcome::Pass(name) if name == *host => report.ok(what, &[&name]),
        iprev::Outcome::Pass(name) => report.note(what, &["it is ", &name], advice),
        iprev::Outcome::Fail => report.wrong(what, &["its name does not lead back to it"], advice),
        iprev::Outcome::PermError => report.wrong(what, &["the address has no name"], advice),
        iprev::Outcome::TempError => report.silent(what),
    }
    Ok(())
}

/// TLSA (RFC 7672): who publishes them has to keep them true.
fn fingerprints(facts: &Facts, answers: &Answers, report: &mut Report) -> Result<(), Need> {
    let name = String::from("_25._tcp.") + &facts.host;
    let cert = CertificateDer::from(facts.certificate.as_slice());
    let mut any = false;
    for data in answers.get(&name, Kind::Tlsa)?.records() {
        any = true;
        if matches!(data, Data::Tlsa(tlsa) if tlsa.usage != 3 || dane::matches(tlsa, &cert)) {
            report.ok(&["TLSA", &name], &["it fits the certificate"]);
            return Ok(());
        }
    }
    if any {
        let advice = "Publish the fingerprint of the certificate in use, or take the TLSA records away: servers \
                      with DANE send nothing meanwhile.";
        report.wrong(
            &["TLSA", &name],
            &["none fits the certificate in use"],
            &[advice],
        );
    }
    Ok(())
}

/// One domain.
pub(super) fn domain(
    facts: &Facts,
    domain: &str,
    addresses: &[IpAddr],
    answers: &Answers,
    report: &mut Report,
) -> Result<(), Need> {
    exchangers(facts, domain, answers, report)?;
    spf(facts, domain, addresses, answers, report)?;
    for wanted in &facts.wanted {
        let [owner, kind, value, line] = wanted;
        if kind == "TXT" && below(owner, "_domainkey", domain) {
            key(owner, value, line, answers, report)?;
        }
    }
    policy(facts, domain, answers, report)?;
    reports(facts, domain, answers, report)?;
    transport(domain, answers, report)?;
    services(facts, domain, answers, report)
}

/// `SELECTOR._domainkey.DOMAIN`
fn below(owner: &str, label: &str, domain: &str) -> bool {
    let rest = owner
        .strip_suffix(domain)
        .and_then(|it| it.strip_suffix('.'));
    rest.is_some_and(|rest| rest.split('.').any(|it| it == label))
}

/// The line of the zone that belongs there.
fn publish(facts: &Facts, owner: &str, kind: &str) -> String {
    let fits = |it: &&[String; 4]| it[0] == owner && it[1] == kind;
    let line = facts.wanted.iter().find(fits).map(|it| it[3].as_str());
    String::from("Publish: ") + line.unwrap_or("what `pillarbox dns` shows")
}

fn exchangers(
    facts: &Facts,
    domain: &str,
    answers: &Answers,
    report: &mut Report,
) -> Result<(), Need> {
    let what = &["MX", domain];
    let publish = publish(facts, domain, "MX");
    let answer = answers.get(domain, Kind::Mx)?;
    if is_failed(answer) {
        report.silent(what);
        return Ok(());
    }
    let mut hosts = Vec::new();
    for data in answer.records() {
        if let Data::Mx(_, host) = data {
            hosts.push(host.as_str());
        }
    }
    let shown = hosts.join(", ");
    match hosts.as_slice() {
        [] => report.wrong(what, &["there is none"], &[&publish]),
        // RFC 7505
        [""] => report.wrong(
            what,
            &["it says that the domain takes no mail"],
            &[&publish],
        ),
        hosts if !hosts.contains(&facts.host.as_str()) => {
            report.wrong(
                what,
                &[&shown, ": none of them is ", &facts.host],
                &[&publish],
            );
        }
        _ => report.ok(what, &[&shown]),
    }
    for host in hosts
        .into_iter()
        .filter(|it| !it.is_empty() && *it != facts.host)
    {
        let mut found = Vec::new();
        addresses_of(answers.get(host, Kind::A)?, &mut found);
        addresses_of(answers.get(host, Kind::Aaaa)?, &mut found);
        if found.is_empty() {
            let advice = "Give it an address, or take it out of the MX records: mail is tried there in vain.";
            report.wrong(what, &[host, " has no address"], &[advice]);
        }
    }
    Ok(())
}

fn texts<'a>(answers: &'a Answers, name: &str, start: &str) -> Result<Option<Vec<&'a str>>, Need> {
    let answer = answers.get(name, Kind::Txt)?;
    if is_failed(answer) {
        return Ok(None);
    }
    let mut found = Vec::new();
    for data in answer.records() {
        if let Data::Txt(text) = data
            && let Ok(text) = std::str::from_utf8(text)
            && text.to_ascii_lowercase().starts_with(start)
        {
            found.push(text);
        }
    }
    Ok(Some(found))
}

fn spf(
    facts: &Facts,
    domain: &str,
    addresses: &[IpAddr],
    answers: &Answers,
    report: &mut Report,
) -> Result<(), Need> {
    let what = &["SPF", domain];
    let publish = publish(facts, domain, "TXT");
    let Some(found) = texts(answers, domain, "v=spf1")? else {
        report.silent(what);
        return Ok(());
    };
    let text = match found.as_slice() {
        [] => {
            report.wrong(what, &["there is no record"], &[&publish]);
            return Ok(());
        }
        [text] => *text,
        // RFC 7208 §3.2
        _ => {
            let advice = "Make one record of them: with several, none holds.";
            report.wrong(what, &["there are several records"], &[advice]);
            return Ok(());
        }
    };
    if Record::parse(text).is_none() {
        report.wrong(what, &["it cannot be read: ", text], &[&publish]);
        return Ok(());
    }
    let check = |ip: IpAddr| {
        let sender = Sender {
            ip,
            helo: &facts.host,
            from: Some(("postmaster", domain)),
            receiver: &facts.host,
            now: facts.now,
        };
        spf::check(&sender, answers).map(|checked| checked.outcome)
    };
    // RFC 5737: nobody's address.
    if check(IpAddr::V4(Ipv4Addr::new(198, 51, 100, 254)))? == Outcome::Pass {
        let advice = "End it with -all: as it is, everybody may send in your name.";
        report.wrong(what, &["it lets everybody pass: ", text], &[advice]);
        return Ok(());
    }
    for ip in addresses {
        let outcome = check(*ip)?;
        if facts.direct && !matches!(outcome, Outcome::Pass | Outcome::TempError) {
            let ip = ip.to_string();
            let found = &[
                "this server, ",
                &ip,
                ", gets ",
                outcome.word(),
                " from: ",
                text,
            ];
            report.wrong(
                what,
                found,
                &["Name it there, with mx or ip4:/ip6:. ", &publish],
            );
            return Ok(());
        }
    }
    report.ok(what, &[text]);
    Ok(())
}

/// A DKIM key is published as it is here.
fn key(
    owner: &str,
    value: &str,
    line: &str,
    answers: &Answers,
    report: &mut Report,
) -> Result<(), Need> {
    let what = &["DKIM", owner];
    let answer = answers.get(owner, Kind::Txt)?;
    if is_failed(answer) {
        report.silent(what);
        return Ok(());
    }
    let octets = |text: &str| Tags::parse(text).and_then(|tags| tags.packed("p"));
    let wanted = octets(value);
    let mut found = None;
    for data in answer.records() {
        if let Data::Txt(text) = data {
            found = octets(&String::from_utf8_lossy(text)).or(found);
        }
    }
    let advice = &["Publish: ", line];
    match found {
        None => report.wrong(what, &["the key is not published"], advice),
        Some(key) if key.is_empty() => report.wrong(what, &["the key is revoked (p=)"], advice),
        Some(_) if answer.records().len() > 1 => {
            report.wrong(what, &["there are several records"], &["Leave one. ", line]);
        }
        found if found == wanted => report.ok(what, &["the key is published"]),
        _ => report.wrong(what, &["another key is published"], advice),
    }
    Ok(())
}

fn policy(facts: &Facts, domain: &str, answers: &Answers, report: &mut Report) -> Result<(), Need> {
    let what = &["DMARC", domain];
    let owner = String::from("_dmarc.") + domain;
    let publish = publish(facts, &owner, "TXT");
    let Some(found) = texts(answers, &owner, "v=dmarc1")? else {
        report.silent(what);
        return Ok(());
    };
    let text = match found.as_slice() {
        [] => {
            report.wrong(what, &["there is no record"], &[&publish]);
            return Ok(());
        }
        [text] => *text,
        // RFC 7489 §6.6.3
        _ => {
            report.wrong(
                what,
                &["there are several records"],
                &["Leave one: with several, none holds."],
            );
            return Ok(());
        }
    };
    let wish = Tags::parse(text).and_then(|tags| tags.get("p").map(str::to_ascii_lowercase));
    match wish.as_deref() {
        Some("reject" | "quarantine") => report.ok(what, &[text]),
        Some("none") => report.note(
            what,
            &[text],
            &["p=quarantine, once the reports show nothing of yours that fails."],
        ),
        _ => report.wrong(what, &["it cannot be read: ", text], &[&publish]),
    }
    Ok(())
}

/// RFC 8460
fn reports(
    facts: &Facts,
    domain: &str,
    answers: &Answers,
    report: &mut Report,
) -> Result<(), Need> {
    let what = &["TLS reports", domain];
    let owner = String::from("_smtp._tls.") + domain;
    let publish = publish(facts, &owner, "TXT");
    let sound = |text: &str| text.contains("rua=mailto:") || text.contains("rua=https:");
    match texts(answers, &owner, "v=tlsrptv1")?.as_deref() {
        None => report.silent(what),
        Some([]) => report.note(what, &["nobody is asked to report"], &[&publish]),
        Some([text]) if sound(text) => report.ok(what, &[text]),
        Some(_) => report.wrong(what, &["it cannot be read"], &[&publish]),
    }
    Ok(())
}

/// RFC 8461 §3.1; the policy itself is looked at from [`super::probe`].
fn transport(domain: &str, answers: &Answers, report: &mut Report) -> Result<(), Need> {
    let what = &["MTA-STS", domain];
    let owner = String::from("_mta-sts.") + domain;
    match texts(answers, &owner, "v=stsv1")?.as_deref() {
        None => report.silent(what),
        Some([]) => report.note(
            what,
            &["there is no policy"],
            &["With a certificate that others trust, one keeps mail to you encrypted: see `pillarbox dns`."],
        ),
        Some([text]) if sts::id(text.as_bytes()).is_some() => {
            let host = String::from("mta-sts.") + domain;
            let mut found = Vec::new();
            addresses_of(answers.get(&host, Kind::A)?, &mut found);
            addresses_of(answers.get(&host, Kind::Aaaa)?, &mut found);
            if found.is_empty() {
                let advice = "Give it the address of a web server that shows the policy, or take the TXT record away.";
                report.wrong(what, &[&host, " has no address"], &[advice]);
            } else {
                report.ok(what, &[text]);
            }
        }
        Some(_) => report.wrong(
            what,
            &["it cannot be read, or there are several records"],
            &["Publish one: ", &owner, ". 3600 IN TXT \"v=STSv1; id=1\", with another id after each change of the policy."],
        ),
    }
    Ok(())
}

/// Where programs find the server (RFC 6186, RFC 8620 §2.2).
fn services(
    facts: &Facts,
    domain: &str,
    answers: &Answers,
    report: &mut Report,
) -> Result<(), Need> {
    let mut missing = Vec::new();
    for [owner, kind, value, line] in &facts.wanted {
        if kind != "SRV" || !below(owner, "_tcp", domain) {
            continue;
        }
        let what = &["SRV", owner.as_str()];
        let answer = answers.get(owner, Kind::Srv)?;
        let mut words = value.split(' ').skip(2);
        let port = words.next().and_then(|port| port.parse().ok());
        let port: u16 = port.unwrap_or_default();
        match answer.records().first() {
            None if is_failed(answer) => report.silent(what),
            None => missing.push(owner.as_str()),
            // RFC 2782: an empty target says that there is no such service.
            Some(Data::Srv(_, host)) if host.is_empty() => report.ok(what, &["switched off"]),
            Some(Data::Srv(at, host)) if *at == port && *host == facts.host => {
                report.ok(what, &[host]);
            }
            Some(Data::Srv(at, host)) => {
                let at = at.to_string();
                report.wrong(
                    what,
                    &["it leads to ", host, ":", &at],
                    &["Publish: ", line],
                );
            }
            Some(_) => {}
        }
    }
    if !missing.is_empty() {
        let advice = "Programs guess or ask without them; `pillarbox dns` shows them.";
        report.note(
            &["SRV", domain],
            &["missing: ", &missing.join(", ")],
            &[advice],
        );
    }
    Ok(())
}
