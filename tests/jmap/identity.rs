//! Identity (RFC 8621 §6).
use super::Jmap;
use crate::harness::Server;
use serde_json::{Value, json};

#[test]
fn own_addresses_and_others() {
    let server = Server::with(|config| config.aliases.add("shop@else.where"));
    let mut jmap = Jmap::new(&server);
    let all = jmap.call("Identity/get", json!({ "ids": null }));
    let list = all["list"].as_array().unwrap();
    let emails: Vec<_> = list.iter().map(|i| i["email"].as_str().unwrap()).collect();
    assert_eq!(emails, ["anna@example.org", "shop@else.where"]);
    assert!(list.iter().all(|i| i["mayDelete"] == false));
    let first = list[0]["id"].clone();
    let state = all["state"].clone();
    let set = jmap.call(
        "Identity/set",
        json!({
            "ifInState": state,
            "create": {
                "a": {
                    "name": "Joe Bloggs",
                    "email": "anna+joe@example.org",
                    "replyTo": null,
                    "bcc": [{ "name": null, "email": "joe+archive@example.com" }],
                    "textSignature": "-- \nJoe Bloggs\nMaster of Email",
                },
                "b": { "email": "bob@else.where" },
                "c": { "email": "anna@example.org", "mayDelete": true },
                "d": { "name": "nobody" },
                "e": { "email": "*@example.org" },
            },
            "update": { first.as_str().unwrap(): { "name": "Anna", "email": "anna@example.org" } },
            "destroy": [first, list[1]["id"]],
        }),
    );
    // RFC 8620 §5.3: what is destroyed is not updated.
    assert_eq!(
        set["notUpdated"][first.as_str().unwrap()]["type"],
        "willDestroy"
    );
    for id in [&first, &list[1]["id"]] {
        assert_eq!(
            set["notDestroyed"][id.as_str().unwrap()]["type"],
            "forbidden",
            "{set}"
        );
    }
    let refused = |name: &str| set["notCreated"][name]["type"].clone();
    assert_eq!(refused("b"), "forbiddenFrom");
    assert_eq!(refused("e"), "forbiddenFrom", "not without --catch-all");
    assert_eq!(
        (refused("c"), refused("d")),
        ("invalidProperties".into(), "invalidProperties".into())
    );
    let made = &set["created"]["a"];
    assert_eq!(made["mayDelete"], true);
    assert_eq!(made["htmlSignature"], "");
    let joe = made["id"].as_str().unwrap().to_owned();
    let got = jmap.call(
        "Identity/get",
        json!({ "ids": [joe], "properties": ["name", "bcc", "replyTo"] }),
    );
    assert_eq!(
        got["list"][0],
        json!({ "id": joe, "name": "Joe Bloggs", "replyTo": null,
            "bcc": [{ "name": null, "email": "joe+archive@example.com" }] })
    );
    let changes = jmap.call("Identity/changes", json!({ "sinceState": state }));
    assert_eq!(changes["created"], json!([joe]));
    assert_eq!(changes["newState"], set["newState"]);
    // Patches, one of them empty.
    let patch = |patch: Value| json!({ "update": { joe.clone(): patch } });
    let same = jmap.call("Identity/set", patch(json!({ "name": "Joe Bloggs" })));
    assert_eq!(same["oldState"], same["newState"]);
    let set = jmap.call(
        "Identity/set",
        patch(json!({ "bcc": null, "htmlSignature": "<b>J</b>" })),
    );
    assert_eq!(set["updated"], json!({ joe.clone(): null }));
    for bad in [
        json!({ "email": "x@example.org" }),
        json!({ "bcc": "x" }),
        json!({ "replyTo": [{ "name": "x" }] }),
        json!({ "textSignature": 5 }),
        json!({ "own": true }),
        json!({ "bcc/0": null }),
    ] {
        let set = jmap.call("Identity/set", patch(bad.clone()));
        assert!(set["notUpdated"][&joe].is_object(), "{bad}: {set}");
    }
    let stale = jmap.call(
        "Identity/set",
        json!({ "ifInState": state, "destroy": [joe] }),
    );
    assert_eq!(stale["error"], "stateMismatch");
    let before = set["newState"].clone();
    let set = jmap.call("Identity/set", json!({ "destroy": [joe, "i9999", "e1"] }));
    assert_eq!(set["destroyed"], json!([joe]));
    assert_eq!(set["notDestroyed"]["i9999"]["type"], "notFound");
    let changes = jmap.call("Identity/changes", json!({ "sinceState": before }));
    assert_eq!(changes["destroyed"], json!([joe]));
}

#[test]
fn follow_the_flags() {
    let mut server = Server::start();
    let mut jmap = Jmap::new(&server);
    let all = jmap.call("Identity/get", json!({ "ids": null }));
    let id = all["list"][0]["id"].as_str().unwrap().to_owned();
    jmap.call(
        "Identity/set",
        json!({ "update": { id.clone(): { "name": "Anna" } } }),
    );
    server.restart();
    let mut jmap = Jmap::new(&server);
    let all = jmap.call("Identity/get", json!({ "ids": null }));
    assert_eq!(all["list"].as_array().unwrap().len(), 1);
    assert_eq!(all["list"][0]["id"], id.as_str());
    assert_eq!(all["list"][0]["name"], "Anna");
}

#[test]
fn an_alias_has_an_identity_while_it_is_on() {
    let server = Server::start();
    let order = |text: &str| {
        use pillarbox::server::control::{Request, Verb};
        let request = Request::new(Verb::Alias, text);
        smol::block_on(request.run(server.auth(), server.mail())).unwrap();
    };
    let mut jmap = Jmap::new(&server);
    let mut emails = || {
        let all = jmap.call("Identity/get", json!({ "ids": null }));
        let list = all["list"].as_array().unwrap().iter();
        list.map(|i| i["email"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    order("add shop");
    assert_eq!(emails(), ["anna@example.org", "shop@example.org"]);
    order("off shop");
    assert_eq!(emails(), ["anna@example.org"]);
    order("on shop");
    assert_eq!(emails(), ["anna@example.org", "shop@example.org"]);
    // Told at once, not when somebody asks for identities next.
    let state = || {
        let kind = pillarbox::mail::DataType::Identity;
        server.mail().meta().states.of(kind)
    };
    let before = state();
    order("remove shop");
    assert!(state() > before);
}
