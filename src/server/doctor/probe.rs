//! Ports, tried from here: 25 in and out, the policy of MTA-STS, and block lists.
use super::{Facts, Report};
use crate::config::Out;
use crate::dns::{Data, Kind, Question, Resolver};
use crate::mime::{self, header};
use crate::net::{client, fetch, tls};
use crate::queue::sts::Policy;
use crate::smtp::gate;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

pub(super) async fn look(
    facts: &Facts,
    dns: &Resolver,
    addresses: &[IpAddr],
    far: &str,
    report: &mut Report,
) {
    for ip in addresses {
        let address = SocketAddr::new(*ip, facts.port);
        arriving(facts, address, report).await;
        listed(facts, dns, *ip, report).await;
    }
    leaving(facts, dns, far, report).await;
    for domain in &facts.domains {
        policy(facts, dns, domain, report).await;
    }
}

/// The first line that a server says, if there is one.
async fn greeting(out: &Out, address: SocketAddr) -> Result<String, String> {
    let greeted = async {
        let mut conn = client::connect_to(out, address).await?;
        conn.set_deadline(Some(Instant::now() + Duration::from_secs(20)));
        let mut line = Vec::new();
        conn.read_line(&mut line, 1000).await?;
        Ok::<_, crate::net::Error>(line)
    };
    match greeted.await {
        Ok(line) => Ok(String::from_utf8_lossy(&line).into_owned()),
        Err(e) => Err(e.to_string()),
    }
}

async fn arriving(facts: &Facts, address: SocketAddr, report: &mut Report) {
    let (shown, greeting) = (
        address.to_string(),
        greeting(&Out::default(), address).await,
    );
    let what = &["port 25 in", shown.as_str()];
    match greeting {
        Ok(line) if line.contains(&*facts.host) => report.ok(what, &[&line]),
        Ok(line) => report.wrong(
            what,
            &["another server answers: ", &line],
            &["Let port 25 of that address lead to this server, which calls itself ", &facts.host, "."],
        ),
        Err(e) => report.wrong(
            what,
            &["nobody answers: ", &e],
            &["Let the router and the firewall hand port 25 on to this machine, and ask the provider whether it \
               is blocked. Some routers do not lead back inside: then try from elsewhere."],
        ),
    }
}

async fn leaving(facts: &Facts, dns: &Resolver, far: &str, report: &mut Report) {
    let what = &["port 25 out", far];
    let answer = dns.ask(&Question::new(far, Kind::Mx)).await;
    let mut best: Option<(u16, &str)> = None;
    for data in answer.records() {
        if let Data::Mx(preference, host) = data
            && best.is_none_or(|(other, _)| *preference < other)
        {
            best = Some((*preference, host));
        }
    }
    let host = best.map_or(far, |(_, host)| host);
    let addresses = dns.addresses(host).await.found;
    let mut found = String::from("it has no address");
    for ip in addresses.into_iter().take(4) {
        match greeting(&facts.out, SocketAddr::new(ip, facts.port)).await {
            Ok(line) if line.starts_with('2') => return report.ok(what, &[&line]),
            Ok(line) | Err(line) => found = line,
        }
    }
    let advice = "The provider may block it: ask for it to be opened, or send through --smarthost.";
    if facts.direct {
        report.wrong(what, &[&found], &[advice]);
    } else {
        report.note(what, &[&found], &[advice]);
    }
}

/// The block lists that this server asks about others.
async fn listed(facts: &Facts, dns: &Resolver, ip: IpAddr, report: &mut Report) {
    let shown = ip.to_string();
    let what = &["block list", shown.as_str()];
    if let Some(zone) = gate::listed(dns, &facts.dnsbl, ip, true).await {
        let advice = &[
            "Look there for why, and how to be taken off: ",
            zone.as_str(),
        ];
        report.wrong(what, &["it is listed at ", &zone], advice);
    }
}

/// What a web server says that the time is (RFC 9110 §6.6.1). Its certificate proves nothing to whom the
/// time is unknown, so it is not looked at.
pub(super) async fn date(facts: &Facts, dns: &Resolver, host: &str) -> Option<u64> {
    let tls = tls::anyone().ok()?;
    let ask = [
        "HEAD /.well-known/mta-sts.txt HTTP/1.0\r\nHost: ",
        host,
        "\r\n\r\n",
    ]
    .concat();
    for ip in dns.addresses(host).await.found.into_iter().take(4) {
        let address = SocketAddr::new(ip, facts.https);
        let answer =
            fetch::exchange(&facts.out, address, host, Some(&tls), ask.as_bytes(), true).await;
        let head = answer.unwrap_or_default();
        // Behind the status line, fields as in a message.
        let fields = head.splitn(2, |b| *b == b'\n').nth(1).unwrap_or_default();
        let date = header::last(fields, "Date").and_then(|field| mime::date::parse(field.value));
        if let Some(secs) = date.and_then(|date| u64::try_from(date.secs).ok()) {
            return Some(secs);
        }
    }
    None
}

/// RFC 8461 §3.2, §3.3: the policy names this server.
async fn policy(facts: &Facts, dns: &Resolver, domain: &str, report: &mut Report) {
    let name = String::from("_mta-sts.") + domain;
    let asked = dns.ask(&Question::new(&name, Kind::Txt)).await;
    let host = String::from("mta-sts.") + domain;
    let addresses = dns.addresses(&host).await.found;
    let (Some(ip), false) = (addresses.first(), asked.records().is_empty()) else {
        return;
    };
    let what = &["MTA-STS policy", domain];
    let fetched = match tls::connector(None) {
        Ok(tls) => {
            let address = SocketAddr::new(*ip, facts.https);
            let path = "/.well-known/mta-sts.txt";
            fetch::text(&facts.out, address, &host, path, &tls).await
        }
        Err(e) => Err(e),
    };
    let advice = "Others that keep to MTA-STS send by it: show the policy that `pillarbox dns` prints there, with a \
                  certificate for that name.";
    match fetched.map(|text| Policy::parse(&text)) {
        Ok(Some(policy)) if policy.allows(&facts.host) => {
            report.ok(what, &["it names ", &facts.host])
        }
        Ok(Some(_)) => report.wrong(what, &["it does not name ", &facts.host], &[advice]),
        Ok(None) => report.wrong(what, &["it cannot be read"], &[advice]),
        Err(e) => report.wrong(what, &["it cannot be had: ", &e], &[advice]),
    }
}
