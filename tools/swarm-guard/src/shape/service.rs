//! The shape of the body that creates or changes a service.

use super::Group::{Fields, Leaves};
use super::Shape::{self, Leaf, List, Map, Never, Object};
use super::container::{HEALTH_CHECK, MOUNTS, ULIMITS};

const ALONE: &str = "deploy it without: it would reach beyond its own tasks";

const FILE: Shape = Object(&[Leaves(&["Name", "UID", "GID", "Mode"])]);
const NETWORKS: Shape = List(&Object(&[
    Leaves(&["Target", "Aliases"]),
    Fields(&[("DriverOpts", Never("driver options", ALONE))]),
]));
const UPDATE: Shape =
    Object(&[Leaves(&["Parallelism", "Delay", "FailureAction", "Monitor", "MaxFailureRatio", "Order"])]);
const NOTHING: Shape = Object(&[]);

const CONTAINER: Shape = Object(&[
    Leaves(&[
        "Image",
        "Command",
        "Args",
        "Hostname",
        "Env",
        "Dir",
        "User",
        "Groups",
        "StopSignal",
        "TTY",
        "OpenStdin",
        "ReadOnly",
        "StopGracePeriod",
        "Hosts",
        "Isolation",
        "Init",
        "OomScoreAdj",
        "CapabilityDrop",
    ]),
    Fields(&[
        ("Labels", Map),
        ("Mounts", MOUNTS),
        ("Healthcheck", HEALTH_CHECK),
        ("DNSConfig", Object(&[Leaves(&["Nameservers", "Search", "Options"])])),
        ("Secrets", List(&Object(&[Leaves(&["SecretID", "SecretName"]), Fields(&[("File", FILE)])]))),
        (
            "Configs",
            List(&Object(&[
                Leaves(&["ConfigID", "ConfigName"]),
                Fields(&[("File", FILE), ("Runtime", NOTHING)]),
            ])),
        ),
        ("Sysctls", Map),
        ("Ulimits", ULIMITS),
        ("CapabilityAdd", Never("capabilities", ALONE)),
        // Of all security settings only `NoNewPrivileges` takes rights away.
        (
            "Privileges",
            Object(&[
                Leaves(&["NoNewPrivileges"]),
                Fields(&[
                    ("CredentialSpec", Never("security profile", ALONE)),
                    ("SELinuxContext", Never("security profile", ALONE)),
                    ("Seccomp", Never("security profile", ALONE)),
                    ("AppArmor", Never("security profile", ALONE)),
                ]),
            ]),
        ),
    ]),
]);

const TASK: Shape = Object(&[
    Leaves(&["ForceUpdate", "Runtime"]),
    Fields(&[
        ("ContainerSpec", CONTAINER),
        ("PluginSpec", Never("plugin", ALONE)),
        ("NetworkAttachmentSpec", Never("network attachment", ALONE)),
        (
            "Resources",
            Object(&[Fields(&[
                ("Limits", Object(&[Leaves(&["NanoCPUs", "MemoryBytes", "Pids"])])),
                (
                    "Reservations",
                    Object(&[
                        Leaves(&["NanoCPUs", "MemoryBytes"]),
                        Fields(&[("GenericResources", Never("devices", ALONE))]),
                    ]),
                ),
            ])]),
        ),
        ("RestartPolicy", Object(&[Leaves(&["Condition", "Delay", "MaxAttempts", "Window"])])),
        (
            "Placement",
            Object(&[
                Leaves(&["Constraints", "MaxReplicas"]),
                Fields(&[
                    (
                        "Preferences",
                        List(&Object(&[Fields(&[("Spread", Object(&[Leaves(&["SpreadDescriptor"])]))])])),
                    ),
                    ("Platforms", List(&Object(&[Leaves(&["Architecture", "OS"])]))),
                ]),
            ]),
        ),
        ("Networks", NETWORKS),
        ("LogDriver", Object(&[Leaves(&["Name"]), Fields(&[("Options", Map)])])),
    ]),
]);

/// `POST /services/create` and `POST /services/{}/update`
pub const SPEC: Shape = Object(&[Fields(&[
    ("Name", Leaf),
    ("Labels", Map),
    ("TaskTemplate", TASK),
    (
        "Mode",
        Object(&[Fields(&[
            ("Replicated", Object(&[Leaves(&["Replicas"])])),
            ("Global", NOTHING),
            ("ReplicatedJob", Object(&[Leaves(&["MaxConcurrent", "TotalCompletions"])])),
            ("GlobalJob", NOTHING),
        ])]),
    ),
    ("UpdateConfig", UPDATE),
    ("RollbackConfig", UPDATE),
    ("Networks", NETWORKS),
    (
        "EndpointSpec",
        Object(&[
            Leaves(&["Mode"]),
            Fields(&[(
                "Ports",
                List(&Object(&[Leaves(&["Name", "Protocol", "TargetPort", "PublishedPort", "PublishMode"])])),
            )]),
        ]),
    ),
])]);
