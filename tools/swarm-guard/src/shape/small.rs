//! Shapes of the bodies for networks, volumes, configs and secrets.

use super::Group::{Fields, Leaves};
use super::Shape::{self, List, Map, Never, Object};
use super::container::ENDPOINT;

const OWN: &str = "make a network of your own";

/// `POST /networks/create`
pub const NETWORK: Shape = Object(&[
    Leaves(&[
        "Name",
        "CheckDuplicate",
        "Driver",
        "Scope",
        "Internal",
        "Attachable",
        "EnableIPv4",
        "EnableIPv6",
    ]),
    Fields(&[
        ("Labels", Map),
        ("Options", Map),
        (
            "IPAM",
            Object(&[
                Leaves(&["Driver"]),
                Fields(&[
                    ("Options", Never("driver options", OWN)),
                    (
                        "Config",
                        List(&Object(&[
                            Leaves(&["Subnet", "IPRange", "Gateway"]),
                            Fields(&[("AuxiliaryAddresses", Map), ("AuxAddress", Map)]),
                        ])),
                    ),
                ]),
            ]),
        ),
        ("Ingress", Never("ingress network", OWN)),
        ("ConfigOnly", Never("configuration network", OWN)),
        ("ConfigFrom", Object(&[Fields(&[("Network", Never("configuration network", OWN))])])),
    ]),
]);

/// `POST /networks/{}/connect`
pub const CONNECT: Shape = Object(&[Leaves(&["Container"]), Fields(&[("EndpointConfig", ENDPOINT)])]);

/// `POST /networks/{}/disconnect`
pub const DISCONNECT: Shape = Object(&[Leaves(&["Container", "Force"])]);

/// `POST /volumes/create`
pub const VOLUME: Shape = Object(&[
    Leaves(&["Name", "Driver"]),
    Fields(&[
        ("DriverOpts", Map),
        ("Labels", Map),
        ("ClusterVolumeSpec", Never("volume driver", "use the local driver")),
    ]),
]);

/// `POST /configs/create`, `POST /secrets/create` and their updates
pub const BLOB: Shape = Object(&[
    Leaves(&["Name", "Data"]),
    Fields(&[
        ("Labels", Map),
        ("Templating", Object(&[Leaves(&["Name"]), Fields(&[("Options", Map)])])),
        ("Driver", Never("secret driver", "give the value itself")),
    ]),
]);
