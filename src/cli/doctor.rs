//! `pillarbox doctor`: what is wrong with the server's place in the world, and what to do.
use super::passwd::perform;
use super::{existing_db_path, print};
use crate::dns::Resolver;
use crate::server::control::{self, Request, Verb};
use crate::server::doctor::{Facts, Grade, examine, free, lies_on};
use crate::server::{Failure, Kind};
use crate::sys::clock;
use argh::{ArgsInfo, FromArgs};

/// Look at the DNS records of the server and its domains, the address' name, the certificate, port 25 in and
/// out, the clock, the disk, its file system and wear; say what is wrong and what to do. It changes nothing, and works with the
/// server up and down.
#[derive(FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "doctor",
    help_triggers("-h", "--help", "help"),
    error_code(11, "something is wrong, and was named")
)]
pub struct Doctor {
    /// the store (default: $STATE_DIRECTORY/mail.redb, else ./mail.redb, else
    /// /var/lib/pillarbox/mail.redb)
    #[argh(option, short = 'd', arg_name = "FILE")]
    db: Option<String>,
    /// resolver to ask, ADDR or ADDR:PORT; repeatable (default: the server's, else the system's)
    #[argh(option, arg_name = "ADDR")]
    dns: Vec<String>,
    /// domain whose mail server is greeted to try port 25 outwards (default: gmail.com); off tries no port
    #[argh(option, arg_name = "DOMAIN", default = "String::from(\"gmail.com\")")]
    far: String,
}

impl Doctor {
    pub(super) fn run(self) -> Result<(), Failure> {
        let db = existing_db_path(self.db.as_deref())?;
        let request = Request::new(Verb::Facts, "");
        let answer = control::ask(&db, &request)?;
        let running = answer.is_some();
        let lines = match answer {
            Some(lines) => lines,
            None => perform(&db, &request)?,
        };
        let mut facts = Facts::read(&lines);
        facts.running = running;
        facts.now = u64::from(clock::now());
        facts.free = free(&db);
        facts.storage = lies_on(&db, std::path::Path::new("/"));
        let mut servers = std::mem::take(&mut facts.dns);
        if !self.dns.is_empty() {
            servers = Result::from_iter(self.dns.iter().map(|it| super::serve::resolver(it)))?;
        }
        let dns = Resolver::new(servers);
        let far = Some(self.far.as_str()).filter(|far| *far != "off");
        let report = smol::block_on(examine(&facts, &dns, far));
        let mut wrong = 0;
        for finding in &report.0 {
            let word = match finding.grade {
                Grade::Ok => "ok    ",
                Grade::Note => "note  ",
                Grade::Wrong => "WRONG ",
            };
            wrong += usize::from(finding.grade == Grade::Wrong);
            let mut text = [word, &finding.what, ": ", &finding.found, "\n"].concat();
            if !finding.advice.is_empty() {
                text += &["      -> ", &finding.advice, "\n"].concat();
            }
            // Some of it is what others said.
            let odd = |c: char| c.is_control() && c != '\n';
            print(&text.replace(odd, "?"));
        }
        match wrong {
            0 => Ok(()),
            n => Err(Failure::new(
                Kind::Wrong,
                format!("{n} things are wrong, see above"),
            )),
        }
    }
}
