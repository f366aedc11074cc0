//! Removes the images that a run has made: those with its label, and image names below its stacks' names. They keep
//! nothing else from being removed, so they are looked for once, when everything else is gone.

use std::fmt;

use lib_common::docker::{ApiResult, Engine};
use lib_common::swarm::label;
use lib_common::swarm::nodes::Nodes;
use serde_json::Value;

use super::calls::Calls;
use super::objects::Target;

/// An image, or one of the names of an image, on one node.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Image {
    /// The reference by which the engine removes it: a name or, without one, the id.
    reference: String,
    node: Option<String>,
}

impl fmt::Display for Image {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "image/{}", self.reference)?;
        self.node.as_ref().map_or(Ok(()), |node| write!(f, " on {node}"))
    }
}

/// Removes the images of the target. Returns those that there were, and those that are left. Nodes that do not answer
/// are skipped here, because `Down::doubts` reports them.
pub async fn remove(nodes: &Nodes, target: &Target, calls: &Calls) -> ApiResult<(Vec<Image>, Vec<Image>)> {
    let mut engines = vec![(None, nodes.manager.clone())];
    let others = nodes.others().await.into_iter();
    engines.extend(others.filter_map(|(name, engine)| Some((Some(name), engine.ok()?))));
    let (mut made, mut left) = (Vec::new(), Vec::new());
    for (node, engine) in engines {
        let Some(list) = list(&engine, node.is_none()).await? else { continue };
        for reference in references(target, &list) {
            calls.note(&reference);
            let gone = engine.delete(&format!("/images/{reference}")).await.is_ok();
            let image = Image { reference, node: node.clone() };
            made.push(image.clone());
            left.extend((!gone).then_some(image));
        }
    }
    Ok((made, left))
}

/// The images of one node. The manager has to answer; another node that does not is reported already.
async fn list(engine: &Engine, is_manager: bool) -> ApiResult<Option<Value>> {
    match engine.get("/images/json").await {
        Ok(list) => Ok(Some(list)),
        Err(e) if is_manager => Err(e),
        Err(_) => Ok(None),
    }
}

/// The references to remove on one node. An image that the run loaded or only tagged cannot get a label; it is known by
/// its name, which the guard lets no other run use.
fn references(target: &Target, list: &Value) -> Vec<String> {
    let mut found = Vec::new();
    for image in list.as_array().into_iter().flatten() {
        let run = image["Labels"][label::RUN].as_str();
        let is_made = run.is_some_and(|run| target.runs.iter().any(|own| own == run));
        let names = image["RepoTags"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let names: Vec<&str> = names.filter(|name| !name.starts_with("<none>")).collect();
        if is_made && names.is_empty() {
            found.extend(image["Id"].as_str().map(ToOwned::to_owned));
        }
        let own =
            names.iter().filter(|name| is_made || target.stacks.iter().any(|stack| is_below(name, stack)));
        found.extend(own.map(|name| (*name).to_owned()));
    }
    found
}

fn is_below(name: &str, stack: &str) -> bool {
    name.strip_prefix(stack).is_some_and(|rest| rest.starts_with(['/', ':', '_', '-', '.']))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn images_of_the_run_by_label_and_by_name() {
        let list = json!([
            {"Id": "sha256:1", "RepoTags": ["iso-x/web:1", "kept/by-label:2"], "Labels": {label::RUN: "01A"}},
            {"Id": "sha256:2", "RepoTags": null, "Labels": {label::RUN: "01A"}},
            {"Id": "sha256:3", "RepoTags": ["<none>:<none>"], "Labels": {label::RUN: "01A"}},
            {"Id": "sha256:4", "RepoTags": ["busybox:latest", "iso-x:1", "iso-x_side:1"], "Labels": null},
            {"Id": "sha256:5", "RepoTags": ["iso-xy:1", "other/iso-x:1"], "Labels": {label::RUN: "01B"}},
            {"Id": "sha256:6", "RepoTags": null, "Labels": null},
            7,
        ]);
        let found = references(&Target::of_run("01A", &["iso-x".into()]), &list);
        assert_eq!(
            found,
            ["iso-x/web:1", "kept/by-label:2", "sha256:2", "sha256:3", "iso-x:1", "iso-x_side:1"]
        );
        assert_eq!(references(&Target::default(), &list), Vec::<String>::new());
    }
}
