//! Decides whether a recipe can run beside a copy of itself: a published port can be taken only once. No I/O.

use serde_json::Value;

/// Names the first service in the list that publishes a fixed port, and the port.
pub fn published(services: &Value) -> Option<String> {
    services.as_array()?.iter().find_map(|service| {
        let port = service["Spec"]["EndpointSpec"]["Ports"].as_array()?.iter().find_map(|port| {
            let number = port["PublishedPort"].as_u64().filter(|number| *number > 0)?;
            Some(format!("{number}, mode {}", port["PublishMode"].as_str().unwrap_or("ingress")))
        })?;
        Some(format!("{} publishes port {port}", service["Spec"]["Name"].as_str().unwrap_or_default()))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_fixed_port_is_found_and_a_port_of_the_engines_choice_is_not() {
        let service = |ports: Value| json!([{"Spec": {"Name": "s_app", "EndpointSpec": {"Ports": ports}}}]);
        let host = service(json!([{"TargetPort": 80}, {"PublishedPort": 64738, "PublishMode": "host"}]));
        assert_eq!(published(&host).as_deref(), Some("s_app publishes port 64738, mode host"));
        assert_eq!(published(&service(json!([{"TargetPort": 80, "PublishedPort": 0}]))), None);
        assert_eq!(published(&json!([{"Spec": {}}])), None);
        assert_eq!(published(&Value::Null), None);
    }
}
