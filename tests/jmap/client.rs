//! A small HTTP client that speaks JMAP, on the harness's connection.
use crate::harness::{Client, PASSWORD, Server, USER};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use pillarbox::config::Role;
use serde_json::{Map, Value, json};
use std::collections::HashMap;

/// What a server answered.
pub struct Answer {
    pub status: u16,
    pub head: HashMap<String, String>,
    pub body: Vec<u8>,
}

impl Answer {
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|e| panic!("{e}: {:?}", String::from_utf8_lossy(&self.body)))
    }

    pub fn field(&self, name: &str) -> &str {
        self.head.get(name).map_or("", String::as_str)
    }
}

/// One keep-alive connection, logged in.
pub struct Jmap {
    client: Client,
    host: String,
    pub auth: String,
    mailboxes: HashMap<String, String>,
}

impl Jmap {
    pub fn new(server: &Server) -> Jmap {
        Jmap::on(server, Role::Http)
    }

    pub fn on(server: &Server, role: Role) -> Jmap {
        let mut jmap = Jmap {
            client: server.client(role),
            host: server.addr(role).to_string(),
            auth: format!("Basic {}", STANDARD.encode(format!("{USER}:{PASSWORD}"))),
            mailboxes: HashMap::new(),
        };
        let all = jmap.call("Mailbox/get", json!({ "ids": null }));
        for mailbox in all["list"].as_array().unwrap() {
            if let Some(role) = mailbox["role"].as_str() {
                jmap.mailboxes
                    .insert(role.into(), mailbox["id"].as_str().unwrap().into());
            }
        }
        jmap
    }

    /// The id of the mailbox with a role.
    pub fn mailbox(&self, role: &str) -> String {
        self.mailboxes[role].clone()
    }

    pub fn get(&mut self, path: &str) -> Answer {
        self.ask("GET", path, &[], b"")
    }

    /// Any request, with the password.
    pub fn ask(
        &mut self,
        method: &str,
        path: &str,
        fields: &[(&str, &str)],
        body: &[u8],
    ) -> Answer {
        let auth = self.auth.clone();
        let mut all = vec![("Authorization", auth.as_str())];
        all.extend_from_slice(fields);
        self.bare(method, path, &all, body)
    }

    /// Any request, without.
    pub fn bare(
        &mut self,
        method: &str,
        path: &str,
        fields: &[(&str, &str)],
        body: &[u8],
    ) -> Answer {
        let mut head = format!("{method} {path} HTTP/1.1\r\nHost: {}\r\n", self.host);
        for (name, value) in fields {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if !body.is_empty() || method == "POST" {
            head.push_str(&format!("Content-Length: {}\r\n", body.len()));
        }
        head.push_str("\r\n");
        let mut octets = head.into_bytes();
        octets.extend_from_slice(body);
        self.client.send_raw(&octets);
        self.answer(method == "HEAD")
    }

    pub fn client(&mut self) -> &mut Client {
        &mut self.client
    }

    /// Only the head of an answer whose body never ends.
    pub fn head(&mut self) -> (u16, HashMap<String, String>) {
        let status = self.client.line();
        let status = status.split(' ').nth(1).unwrap().parse().unwrap();
        let mut head = HashMap::new();
        loop {
            let line = self.client.line();
            let Some((name, value)) = line.split_once(':') else {
                break;
            };
            head.insert(name.to_ascii_lowercase(), value.trim().to_owned());
        }
        (status, head)
    }

    pub fn answer(&mut self, bodiless: bool) -> Answer {
        let (status, head) = self.head();
        let mut body = Vec::new();
        if bodiless || status == 204 || status == 304 {
        } else if let Some(length) = head.get("content-length") {
            body = self.client.octets(length.parse().unwrap());
        } else if head
            .get("transfer-encoding")
            .is_some_and(|te| te == "chunked")
        {
            while let Some(chunk) = self.chunk() {
                body.extend_from_slice(&chunk);
            }
        }
        Answer { status, head, body }
    }

    /// The next chunk of a chunked body.
    pub fn chunk(&mut self) -> Option<Vec<u8>> {
        let size = usize::from_str_radix(self.client.line().trim(), 16).unwrap();
        let chunk = self.client.octets(size);
        self.client.expect("");
        (size > 0).then_some(chunk)
    }

    /// A whole request; the response as JSON.
    #[track_caller]
    pub fn request(&mut self, using: &[&str], calls: Value) -> Value {
        let using: Vec<String> = using
            .iter()
            .map(|u| format!("urn:ietf:params:jmap:{u}"))
            .collect();
        let body = json!({ "using": using, "methodCalls": calls }).to_string();
        let answer = self.post(body.as_bytes());
        assert_eq!(answer.status, 200, "{}", answer.json());
        answer.json()
    }

    pub fn post(&mut self, body: &[u8]) -> Answer {
        self.ask(
            "POST",
            "/jmap/api",
            &[("Content-Type", "application/json")],
            body,
        )
    }

    /// Some calls; their responses.
    #[track_caller]
    pub fn calls(&mut self, calls: Value) -> Vec<Value> {
        let answer = self.request(&["core", "mail", "submission", "vacationresponse"], calls);
        answer["methodResponses"].as_array().unwrap().clone()
    }

    /// One call, with `accountId`; the arguments of its response, with `error` for its type.
    #[track_caller]
    pub fn call(&mut self, name: &str, args: Value) -> Value {
        let Value::Object(mut args) = args else {
            panic!("arguments are an object")
        };
        args.entry("accountId").or_insert("a1".into());
        let answer = self.calls(json!([[name, args, "0"]]));
        let [got, args, id] = answer[0].as_array().unwrap().as_slice() else {
            panic!()
        };
        assert_eq!(id, "0");
        if got == "error" {
            return json!({ "error": args["type"], "description": args["description"] });
        }
        assert_eq!(got, name);
        args.clone()
    }

    /// Uploads; the blob id.
    #[track_caller]
    pub fn upload(&mut self, media: &str, octets: &[u8]) -> String {
        let answer = self.ask(
            "POST",
            "/jmap/upload/a1",
            &[("Content-Type", media)],
            octets,
        );
        assert_eq!(answer.status, 201, "{}", answer.json());
        let answer = answer.json();
        assert_eq!(answer["size"], octets.len());
        answer["blobId"].as_str().unwrap().to_owned()
    }

    /// One email, with these properties.
    #[track_caller]
    pub fn email(&mut self, id: &str, properties: Value) -> Value {
        let mut args = Map::new();
        args.insert("ids".into(), json!([id]));
        if properties.is_array() {
            args.insert("properties".into(), properties);
        } else {
            args.extend(properties.as_object().unwrap().clone());
        }
        let answer = self.call("Email/get", Value::Object(args));
        assert_eq!(answer["notFound"], json!([]), "{answer}");
        answer["list"][0].clone()
    }

    pub fn email_state(&mut self) -> String {
        self.call("Email/get", json!({ "ids": [] }))["state"]
            .as_str()
            .unwrap()
            .to_owned()
    }

    /// Ids that a query finds.
    #[track_caller]
    pub fn query(&mut self, args: Value) -> Vec<String> {
        let answer = self.call("Email/query", args);
        let ids = answer["ids"]
            .as_array()
            .unwrap_or_else(|| panic!("{answer}"));
        ids.iter()
            .map(|id| id.as_str().unwrap().to_owned())
            .collect()
    }
}
