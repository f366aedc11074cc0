//! Shapes of the bodies that create or change containers, and that run commands in them.

use super::Group::{Fields, Leaves};
use super::Shape::{self, Leaf, List, Map, MapOf, Never, Null, Object};

const ALONE: &str = "run it without: it would reach beyond its own containers";
const KERNEL: &str = "leave it out: the engine's own masks stay";

pub const HEALTH_CHECK: Shape =
    Object(&[Leaves(&["Test", "Interval", "Timeout", "Retries", "StartPeriod", "StartInterval"])]);

pub const ULIMITS: Shape = List(&Object(&[Leaves(&["Name", "Hard", "Soft"])]));

const RATES: Shape = List(&Object(&[Leaves(&["Path", "Rate"])]));

/// `Mounts` of a container or of a service's tasks.
pub const MOUNTS: Shape = List(&Object(&[
    Leaves(&["Type", "Source", "Target", "ReadOnly", "Consistency"]),
    Fields(&[
        (
            "BindOptions",
            Object(&[Leaves(&[
                "Propagation",
                "NonRecursive",
                "CreateMountpoint",
                "ReadOnlyNonRecursive",
                "ReadOnlyForceRecursive",
            ])]),
        ),
        (
            "VolumeOptions",
            Object(&[
                Leaves(&["NoCopy", "Subpath"]),
                Fields(&[
                    ("Labels", Map),
                    ("DriverConfig", Object(&[Leaves(&["Name"]), Fields(&[("Options", Map)])])),
                ]),
            ]),
        ),
        ("TmpfsOptions", Object(&[Leaves(&["SizeBytes", "Mode"]), Fields(&[("Options", List(&Leaf))])])),
    ]),
]));

/// A container's endpoint on one network.
pub const ENDPOINT: Shape = Object(&[
    Leaves(&[
        "Aliases",
        "MacAddress",
        "NetworkID",
        "EndpointID",
        "Gateway",
        "IPAddress",
        "IPPrefixLen",
        "IPv6Gateway",
        "GlobalIPv6Address",
        "GlobalIPv6PrefixLen",
        "DNSNames",
        "GwPriority",
        "Links",
    ]),
    Fields(&[
        ("IPAMConfig", Object(&[Leaves(&["IPv4Address", "IPv6Address", "LinkLocalIPs"])])),
        ("DriverOpts", Never("driver options", ALONE)),
    ]),
]);

/// Limits on what a container may use.
const RESOURCE_NUMBERS: &[&str] = &[
    "CpuShares",
    "Memory",
    "NanoCpus",
    "BlkioWeight",
    "CpuPeriod",
    "CpuQuota",
    "CpuRealtimePeriod",
    "CpuRealtimeRuntime",
    "CpusetCpus",
    "CpusetMems",
    "KernelMemory",
    "KernelMemoryTCP",
    "MemoryReservation",
    "MemorySwap",
    "MemorySwappiness",
    "OomKillDisable",
    "PidsLimit",
    "CpuCount",
    "CpuPercent",
    "IOMaximumIOps",
    "IOMaximumBandwidth",
];

const RESOURCES: &[(&str, Shape)] = &[
    ("CgroupParent", Never("cgroup parent", ALONE)),
    ("BlkioWeightDevice", List(&Object(&[Leaves(&["Path", "Weight"])]))),
    ("BlkioDeviceReadBps", RATES),
    ("BlkioDeviceWriteBps", RATES),
    ("BlkioDeviceReadIOps", RATES),
    ("BlkioDeviceWriteIOps", RATES),
    ("Devices", Never("devices", ALONE)),
    ("DeviceCgroupRules", Never("devices", ALONE)),
    ("DeviceRequests", Never("devices", ALONE)),
    ("Ulimits", ULIMITS),
];

const RESTART_POLICY: Shape = Object(&[Leaves(&["Name", "MaximumRetryCount"])]);

const HOST_CONFIG: Shape = Object(&[
    Leaves(&[
        "Binds",
        "ContainerIDFile",
        "NetworkMode",
        "AutoRemove",
        "VolumeDriver",
        "VolumesFrom",
        "ConsoleSize",
        "CapDrop",
        "CgroupnsMode",
        "Dns",
        "DnsOptions",
        "DnsSearch",
        "ExtraHosts",
        "GroupAdd",
        "IpcMode",
        "OomScoreAdj",
        "PidMode",
        "PublishAllPorts",
        "ReadonlyRootfs",
        "SecurityOpt",
        "UTSMode",
        "UsernsMode",
        "ShmSize",
        "Runtime",
        "Isolation",
        "Init",
        "Links",
    ]),
    Fields(&[
        ("LogConfig", Object(&[Leaves(&["Type"]), Fields(&[("Config", Map)])])),
        ("PortBindings", MapOf(&List(&Object(&[Leaves(&["HostIp", "HostPort"])])))),
        ("RestartPolicy", RESTART_POLICY),
        ("StorageOpt", Map),
        ("Tmpfs", Map),
        ("Sysctls", Map),
        ("Mounts", MOUNTS),
        ("Annotations", Never("annotations", ALONE)),
        ("CapAdd", Never("capabilities", ALONE)),
        ("Cgroup", Never("host namespace", ALONE)),
        ("Privileged", Never("privileged", ALONE)),
        ("MaskedPaths", Null("kernel paths", KERNEL)),
        ("ReadonlyPaths", Null("kernel paths", KERNEL)),
    ]),
    Leaves(RESOURCE_NUMBERS),
    Fields(RESOURCES),
]);

const CONFIG: &[&str] = &[
    "Hostname",
    "Domainname",
    "User",
    "AttachStdin",
    "AttachStdout",
    "AttachStderr",
    "Tty",
    "OpenStdin",
    "StdinOnce",
    "Env",
    "Cmd",
    "ArgsEscaped",
    "Image",
    "WorkingDir",
    "Entrypoint",
    "NetworkDisabled",
    "MacAddress",
    "OnBuild",
    "StopSignal",
    "StopTimeout",
    "Shell",
    "Runtime",
];

const CONFIG_MAPS: &[(&str, Shape)] =
    &[("Labels", Map), ("ExposedPorts", Map), ("Volumes", Map), ("Healthcheck", HEALTH_CHECK)];

/// `POST /containers/create`
pub const CREATE: Shape = Object(&[
    Leaves(CONFIG),
    Fields(CONFIG_MAPS),
    Fields(&[
        ("HostConfig", HOST_CONFIG),
        ("NetworkingConfig", Object(&[Fields(&[("EndpointsConfig", MapOf(&ENDPOINT))])])),
    ]),
]);

/// `POST /commit`
pub const COMMIT: Shape = Object(&[Leaves(CONFIG), Fields(CONFIG_MAPS)]);

/// `POST /containers/{}/update`
pub const UPDATE: Shape =
    Object(&[Leaves(RESOURCE_NUMBERS), Fields(RESOURCES), Fields(&[("RestartPolicy", RESTART_POLICY)])]);

/// `POST /containers/{}/exec`
pub const EXEC: Shape = Object(&[
    Leaves(&[
        "User",
        "Tty",
        "ConsoleSize",
        "AttachStdin",
        "AttachStdout",
        "AttachStderr",
        "Detach",
        "DetachKeys",
        "Env",
        "WorkingDir",
        "Cmd",
        // docker-py repeats the container's name here; the rule takes it out.
        "Container",
    ]),
    Fields(&[("Privileged", Never("privileged", ALONE))]),
]);

/// `POST /exec/{}/start`
pub const EXEC_START: Shape = Object(&[Leaves(&["Detach", "Tty", "ConsoleSize"])]);
