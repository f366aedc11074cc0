//! Property tests: no input makes the guard panic, and nothing dangerous passes, however it is nested.

use proptest::prelude::*;
use serde_json::Value;

use super::{RUN, decide, decide_raw};
use crate::decision::Outgoing;
use crate::shape;

/// Nested JSON with keys that the rules look at, and a few others.
fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-2i64..300).prop_map(Value::from),
        prop::sample::select(vec![
            "",
            "host",
            "container:x",
            "/",
            "live-net",
            "own-net",
            "bind",
            "volume",
            "own-vol"
        ])
        .prop_map(Value::from),
    ];
    let key = prop::sample::select(vec![
        "Image",
        "HostConfig",
        "hostconfig",
        "Privileged",
        "PRIVILEGED",
        "CapAdd",
        "NetworkMode",
        "PidMode",
        "Binds",
        "Mounts",
        "Type",
        "Source",
        "Target",
        "Labels",
        "NetworkingConfig",
        "EndpointsConfig",
        "Devices",
        "x",
    ]);
    leaf.prop_recursive(4, 24, 5, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::vec((key.clone(), inner), 0..5)
                .prop_map(|entries| entries.into_iter().map(|(k, v)| (k.to_owned(), v)).collect::<Value>()),
        ]
    })
}

proptest! {
    #[test]
    fn what_passes_is_stamped_and_harmless(mut body in value(), host in value()) {
        if body.is_object() {
            body["Image"] = "image".into();
            body["HostConfig"] = host;
        }
        if let Ok(forward) = decide("POST", "/containers/create", &body) {
            let Outgoing::Json(mut sent) = forward.body else { panic!("a body") };
            prop_assert_eq!(&sent["Labels"]["redfix.run"], RUN);
            // Labels may have any keys, so the check below leaves them out.
            sent["Labels"] = Value::Null;
            let host = &sent["HostConfig"];
            prop_assert!(shape::is_nothing(&host["Privileged"]), "{}", host);
            for key in ["NetworkMode", "PidMode"] {
                let mode = host[key].as_str().unwrap_or_default();
                prop_assert!(mode != "host" && !mode.starts_with("container:") && mode != "live-net", "{}", host);
            }
            let text = sent.to_string();
            prop_assert!(!text.contains("PRIVILEGED") && !text.contains("hostconfig"), "{}", text);
        }
    }

    #[test]
    fn no_bytes_make_it_panic(target in "/[a-z/%.0-9?=&:{}\"]{0,40}", body in prop::collection::vec(any::<u8>(), 0..80)) {
        for method in ["GET", "POST", "DELETE", "PUT"] {
            let _ = decide_raw(method, &target, &body);
        }
        let _ = decide_raw("POST", "/containers/create", &body);
        let _ = decide_raw("POST", "/services/create", &body);
    }
}
