//! What was seen of one service: its specifications, and how its last update went.

use serde_json::Value;

use super::text;

#[derive(Clone, Debug)]
pub struct Service {
    pub id: String,
    pub name: String,
    pub spec: Value,
    pub previous: Value,
    pub update: Value,
    /// How many different specifications were seen. More than one means that the service was updated meanwhile.
    pub versions: u32,
    /// All specifications that were seen. A secret of an old one may still stand in a log.
    pub specs: Vec<Value>,
}

impl Service {
    #[must_use]
    pub fn new(id: &str) -> Self {
        Self {
            id: id.to_owned(),
            name: String::new(),
            spec: Value::Null,
            previous: Value::Null,
            update: Value::Null,
            versions: 0,
            specs: Vec::new(),
        }
    }

    /// Updates it from a row of `/services`.
    pub fn see(&mut self, row: &Value) {
        self.name = text(&row["Spec"]["Name"]);
        self.update = row["UpdateStatus"].clone();
        self.previous = row["PreviousSpec"].clone();
        if self.spec != row["Spec"] {
            self.spec = row["Spec"].clone();
            self.versions += 1;
            self.specs.push(self.spec.clone());
        }
    }

    #[must_use]
    pub fn container_spec(&self) -> &Value {
        &self.spec["TaskTemplate"]["ContainerSpec"]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_update_is_another_version() {
        let mut service = Service::new("s");
        let row = |image: &str| json!({"Spec": {"Name": "x_app", "TaskTemplate": {"ContainerSpec": {"Image": image}}}});
        service.see(&row("a"));
        service.see(&row("a"));
        assert_eq!(service.versions, 1);
        service.see(&row("b"));
        assert_eq!((service.versions, service.specs.len()), (2, 2));
        assert_eq!(service.container_spec()["Image"], "b");
    }
}
