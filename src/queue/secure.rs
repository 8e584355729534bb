//! How a mail host has to be reached: what DANE (RFC 7672) and MTA-STS (RFC 8461) demand of it.
use super::Queue;
use super::dane::{self, Dane};
use super::route::Host;
use super::sts::{self, Mode, Policy};
use super::tlsrpt;
use crate::config::{Smarthost, SmarthostTls};
use crate::dns::{Data, Kind, Question};
use crate::mail;
use crate::mail::outbound::Wish;
use crate::net::{TlsConnector, fetch, tls};
use crate::smtp::client::Try;
use crate::smtp::wire::reply::Enhanced;
use crate::sys::clock;
use crate::{limits, mail::Put};
use serde_json::Value;
use std::net::{IpAddr, SocketAddr};

/// Why there is no way to a host.
pub(super) struct Miss {
    /// It stays so.
    pub status: Option<Enhanced>,
    /// A sentence.
    pub why: String,
}

impl From<String> for Miss {
    fn from(why: String) -> Miss {
        Miss { status: None, why }
    }
}

/// Where cached policies stand: `sts/<domain>`.
const POLICIES: &[u8] = b"sts/";

/// A policy as it is kept.
struct Kept {
    id: String,
    fetched: u32,
    text: Vec<u8>,
}

impl Kept {
    fn encode(&self) -> Vec<u8> {
        let head = format!("{} {}\n", self.id, self.fetched);
        [head.as_bytes(), &self.text].concat()
    }

    fn decode(row: &[u8]) -> Option<Kept> {
        let end = row.iter().position(|octet| *octet == b'\n')?;
        let (id, fetched) = std::str::from_utf8(row.get(..end)?).ok()?.split_once(' ')?;
        Some(Kept {
            id: id.to_owned(),
            fetched: fetched.parse().ok()?,
            text: row.get(end + 1..)?.to_vec(),
        })
    }

    /// The policy, if it still holds.
    fn policy(&self) -> Option<Policy> {
        let policy = Policy::parse(&self.text)?;
        let until = self.fetched.saturating_add(policy.max_age);
        (clock::now() < until).then_some(policy)
    }
}

impl Queue {
    /// The ways to reach a host, in order.
    ///
    /// # Errors
    /// A sentence: no mail for it now.
    pub(super) async fn tries(
        &self,
        host: &Host,
        domain: &str,
        policy: Option<&Policy>,
        wish: Wish,
        applied: &mut Value,
    ) -> Result<Vec<Try>, Miss> {
        let config = &self.ctx.config;
        let named = |tls, must, verified| Try {
            tls,
            name: host.name.clone(),
            must,
            verified,
        };
        // RFC 8461 §2: DANE goes first. But where somebody could have made up the host, it is the
        // policy that knows better.
        let required = wish == Wish::Required;
        let policy = policy.filter(|_| wish != Wish::Optional);
        *applied = tlsrpt::applied(domain, None, policy);
        let known = host.proved_mx || policy.is_some_and(|policy| policy.allows(&host.name));
        if required && !known {
            // RFC 8689 §4.2.1
            return Err(Miss {
                status: Some(Enhanced(5, 7, 10)),
                why: format!("nothing proves that it is a mail host of {domain} (REQUIRETLS)"),
            });
        }
        let dane = host.proved && wish != Wish::Optional && (policy.is_none() || host.proved_mx);
        if dane {
            let found = dane::look(&self.ctx.dns, &host.name, config.mx_port, domain).await?;
            // RFC 8689 §2: somebody has to vouch for the certificate. The same where a policy names
            // who does: records that mean nothing are no reason to ask for less.
            let strict = required || policy.is_some_and(|policy| policy.mode == Mode::Enforce);
            if let Some(dane) = found.filter(|dane| !strict || !dane.records.is_empty()) {
                *applied = tlsrpt::applied(domain, Some(&dane), None);
                return Ok(vec![by_dane(dane)?]);
            }
        }
        if required {
            let tls = tls::connector(config.tls_ca.as_deref())?;
            return Ok(vec![named(Some(tls), true, true)]);
        }
        let mut tries = Vec::new();
        if let Some(policy) = policy {
            let enforce = policy.mode == Mode::Enforce;
            if policy.allows(&host.name) {
                match tls::connector(config.tls_ca.as_deref()) {
                    Ok(tls) => tries.push(named(Some(tls), true, true)),
                    Err(why) if enforce => return Err(why.into()),
                    Err(why) => log::warn!("queue: MTA-STS of {domain}: {why}"),
                }
            } else if enforce {
                return Err(format!("the MTA-STS policy of {domain} does not allow it").into());
            } else {
                log::info!("queue: {} is not in {domain}'s policy", host.name);
            }
            if enforce {
                return Ok(tries);
            }
        }
        tries.push(named(Some(tls::anyone()?), false, false));
        // RFC 7435: broken TLS is no reason to keep the message, when none would do.
        tries.push(named(None, false, false));
        Ok(tries)
    }

    /// Who vouches for a smarthost's certificate, if DANE does (RFC 7672 §2.2.2: a host to which no MX
    /// record leads). MTA-STS is about MX hosts (RFC 8461 §4.1) and has nothing to say of it. Records
    /// that mean nothing leave the usual trust as it is.
    ///
    /// # Errors
    /// A sentence: no mail for it now.
    pub(super) async fn smarthost_tls(
        &self,
        host: &Smarthost,
    ) -> Result<Option<TlsConnector>, String> {
        let (config, dns) = (&self.ctx.config, &self.ctx.dns);
        let named = host.host.parse::<IpAddr>().is_err();
        let asks = config.dns_trusted && host.tls != SmarthostTls::None && named;
        if !asks || !dns.addresses(&host.host).await.secure {
            return Ok(None);
        }
        let found = dane::look(dns, &host.host, host.port, &host.host).await?;
        match found.filter(|dane| !dane.records.is_empty()) {
            Some(dane) => Ok(by_dane(dane)?.tls),
            None => Ok(None),
        }
    }

    /// The policy of a domain, if it has one that asks for something.
    pub(super) async fn policy(&self, domain: &str) -> Option<Policy> {
        if domain.starts_with('[') {
            return None;
        }
        let key = [POLICIES, domain.as_bytes()].concat();
        let kept = self.mail().get(&key).ok().flatten();
        let kept = kept.and_then(|row| Kept::decode(&row));
        let cached = kept
            .as_ref()
            .and_then(|it| it.policy().map(|policy| (it, policy)));
        let id = self.policy_id(domain).await;
        let fresh = |kept: &Kept, policy: &Policy| {
            let old = clock::now().saturating_sub(kept.fetched);
            old < limits::STS_REFRESH.min(policy.max_age / 2) && id.as_deref() == Some(&kept.id)
        };
        let policy = match (id.as_ref(), cached) {
            (None, cached) => cached.map(|(_, policy)| policy),
            (_, Some((kept, policy))) if fresh(kept, &policy) => Some(policy),
            (Some(id), cached) => match self.fetch_policy(domain, id, key).await {
                Some(policy) => Some(policy),
                None => cached.map(|(_, policy)| policy),
            },
        };
        policy.filter(|policy| policy.mode != Mode::None)
    }

    /// RFC 8461 §3.1: exactly one record.
    async fn policy_id(&self, domain: &str) -> Option<String> {
        let question = Question::new(&format!("_mta-sts.{domain}"), Kind::Txt);
        let answer = self.ctx.dns.ask(&question).await;
        let mut records = answer.records().iter().filter_map(|data| match data {
            Data::Txt(text) if text.starts_with(b"v=STSv1") => Some(text),
            _ => None,
        });
        match (records.next(), records.next()) {
            (Some(text), None) => sts::id(text).map(str::to_owned),
            _ => None,
        }
    }

    /// Fetches and keeps a policy; not again for some minutes after it failed (RFC 8461 §3.3).
    async fn fetch_policy(&self, domain: &str, id: &str, key: Vec<u8>) -> Option<Policy> {
        let now = clock::now();
        {
            let mut failed = self.sts_failed.borrow_mut();
            failed.retain(|(_, until)| *until > now);
            if failed.iter().any(|it| it.0 == domain) || failed.len() >= limits::LANES {
                return None;
            }
        }
        let found = self.fetch_text(domain).await.and_then(|text| {
            let policy = Policy::parse(&text).ok_or("it is no policy")?;
            Ok((text, policy))
        });
        match found {
            Ok((text, policy)) => {
                let kept = Kept {
                    id: id.to_owned(),
                    fetched: now,
                    text,
                };
                let mut puts = vec![(key, Some(kept.encode()))];
                if let Err(e) = self.sweep(&mut puts) {
                    log::debug!("queue: {e}");
                }
                if let Err(e) = self.mail().put(puts).await {
                    log::warn!("queue: the MTA-STS policy of {domain} is not kept: {e}");
                }
                Some(policy)
            }
            Err(why) => {
                log::warn!("queue: no MTA-STS policy from {domain}: {why}");
                let until = now.saturating_add(limits::STS_RETRY);
                let failed = (domain.to_owned(), until);
                self.sts_failed.borrow_mut().push(failed);
                None
            }
        }
    }

    /// Policies that hold no more go when a new one comes. It is not kept itself where there are too
    /// many: one that others count on does not go for a stranger's.
    fn sweep(&self, puts: &mut Vec<Put>) -> mail::Result<()> {
        let mut left = 0;
        self.mail().reader()?.scan(POLICIES, |key, row| {
            let over = Kept::decode(row).is_none_or(|kept| kept.policy().is_none());
            if puts.iter().all(|(put, _)| put != key) {
                match over {
                    true => puts.push((key.to_vec(), None)),
                    false => left += 1,
                }
            }
            true
        })?;
        if left >= limits::STS_KEPT {
            puts.remove(0);
        }
        Ok(())
    }

    async fn fetch_text(&self, domain: &str) -> Result<Vec<u8>, String> {
        let config = &self.ctx.config;
        let host = format!("mta-sts.{domain}");
        let tls = tls::connector(config.tls_ca.as_deref())?;
        let addresses = self.ctx.dns.addresses(&host).await.found;
        let mut last = format!("{host} has no address");
        for address in addresses.into_iter().take(limits::MX_ADDRESSES) {
            let address = SocketAddr::new(address, config.sts_port);
            match fetch::text(
                &config.out,
                address,
                &host,
                "/.well-known/mta-sts.txt",
                &tls,
            )
            .await
            {
                Ok(text) => return Ok(text),
                Err(why) => last = why,
            }
        }
        Err(last)
    }
}

fn by_dane(dane: Dane) -> Result<Try, String> {
    let verified = !dane.records.is_empty();
    let name = dane.names.first().cloned().unwrap_or_default();
    Ok(Try {
        tls: Some(tls::checked(Box::new(move |cert, others, now| {
            dane.check(cert, others, now)
        }))?),
        name,
        must: true,
        verified,
    })
}
