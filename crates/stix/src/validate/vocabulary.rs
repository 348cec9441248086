//! The vocabularies of section 10: open ones, whose words should be used where one fits, and
//! enumerations, whose words must.

/// Words under a name.
#[derive(Debug)]
pub(super) struct Vocabulary {
    pub(super) name: &'static str,
    pub(super) rule: &'static str,
    pub(super) words: &'static [&'static str],
}

pub(super) const ACCOUNT_TYPE: Vocabulary = Vocabulary {
    name: "account-type-ov",
    rule: "STIX 2.1 section 10.1",
    words: &["facebook", "ldap", "nis", "openid", "radius", "skype", "tacacs", "twitter", "unix", "windows-local", "windows-domain"],
};
pub(super) const ATTACK_MOTIVATION: Vocabulary = Vocabulary {
    name: "attack-motivation-ov",
    rule: "STIX 2.1 section 10.2",
    words: &["accidental", "coercion", "dominance", "ideology", "notoriety", "organizational-gain", "personal-gain", "personal-satisfaction", "revenge", "unpredictable"],
};
pub(super) const ATTACK_RESOURCE_LEVEL: Vocabulary = Vocabulary {
    name: "attack-resource-level-ov",
    rule: "STIX 2.1 section 10.3",
    words: &["individual", "club", "contest", "team", "organization", "government"],
};
pub(super) const ENCRYPTION_ALGORITHM: Vocabulary = Vocabulary {
    name: "encryption-algorithm-enum",
    rule: "STIX 2.1 section 10.4",
    words: &["AES-256-GCM", "ChaCha20-Poly1305", "mime-type-indicated"],
};
pub(super) const EXTENSION_TYPE: Vocabulary = Vocabulary {
    name: "extension-type-enum",
    rule: "STIX 2.1 section 10.5",
    words: &["new-sdo", "new-sco", "new-sro", "property-extension", "toplevel-property-extension"],
};
pub(super) const GROUPING_CONTEXT: Vocabulary = Vocabulary {
    name: "grouping-context-ov",
    rule: "STIX 2.1 section 10.6",
    words: &["suspicious-activity", "malware-analysis", "unspecified"],
};
pub(super) const IDENTITY_CLASS: Vocabulary = Vocabulary {
    name: "identity-class-ov",
    rule: "STIX 2.1 section 10.8",
    words: &["individual", "group", "system", "organization", "class", "unknown", "unspecified"],
};
pub(super) const IMPLEMENTATION_LANGUAGE: Vocabulary = Vocabulary {
    name: "implementation-language-ov",
    rule: "STIX 2.1 section 10.9",
    words: &["applescript", "bash", "c", "c++", "c#", "go", "java", "javascript", "lua", "objective-c", "perl", "php", "powershell", "python", "ruby", "scala", "swift", "typescript", "visual-basic", "x86-32", "x86-64"],
};
pub(super) const INDICATOR_TYPE: Vocabulary = Vocabulary {
    name: "indicator-type-ov",
    rule: "STIX 2.1 section 10.10",
    words: &["anomalous-activity", "anonymization", "benign", "compromised", "malicious-activity", "attribution", "unknown"],
};
pub(super) const INDUSTRY_SECTOR: Vocabulary = Vocabulary {
    name: "industry-sector-ov",
    rule: "STIX 2.1 section 10.11",
    words: &["agriculture", "aerospace", "automotive", "chemical", "commercial", "communications", "construction", "defense", "education", "energy", "entertainment", "financial-services", "government", "emergency-services", "government-local", "government-national", "government-public-services", "government-regional", "healthcare", "hospitality-leisure", "infrastructure", "dams", "nuclear", "water", "insurance", "manufacturing", "mining", "non-profit", "pharmaceuticals", "retail", "technology", "telecommunications", "transportation", "utilities"],
};
pub(super) const INFRASTRUCTURE_TYPE: Vocabulary = Vocabulary {
    name: "infrastructure-type-ov",
    rule: "STIX 2.1 section 10.12",
    words: &["amplification", "anonymization", "botnet", "command-and-control", "control-system", "exfiltration", "firewall", "hosting-malware", "hosting-target-lists", "phishing", "reconnaissance", "routers-switches", "staging", "workstation", "unknown"],
};
pub(super) const MALWARE_RESULT: Vocabulary = Vocabulary {
    name: "malware-result-ov",
    rule: "STIX 2.1 section 10.13",
    words: &["malicious", "suspicious", "benign", "unknown"],
};
pub(super) const MALWARE_CAPABILITIES: Vocabulary = Vocabulary {
    name: "malware-capabilities-ov",
    rule: "STIX 2.1 section 10.14",
    words: &["accesses-remote-machines", "anti-debugging", "anti-disassembly", "anti-emulation", "anti-memory-forensics", "anti-sandbox", "anti-vm", "captures-input-peripherals", "captures-output-peripherals", "captures-system-state-data", "cleans-traces-of-infection", "commits-fraud", "communicates-with-c2", "compromises-data-availability", "compromises-data-integrity", "compromises-system-availability", "controls-local-machine", "degrades-security-software", "degrades-system-updates", "determines-c2-server", "emails-spam", "escalates-privileges", "evades-av", "exfiltrates-data", "fingerprints-host", "hides-artifacts", "hides-executing-code", "infects-files", "infects-remote-machines", "installs-other-components", "persists-after-system-reboot", "prevents-artifact-access", "prevents-artifact-deletion", "probes-network-environment", "self-modifies", "steals-authentication-credentials", "violates-system-operational-integrity"],
};
pub(super) const MALWARE_TYPE: Vocabulary = Vocabulary {
    name: "malware-type-ov",
    rule: "STIX 2.1 section 10.15",
    words: &["adware", "backdoor", "bot", "bootkit", "ddos", "downloader", "dropper", "exploit-kit", "keylogger", "ransomware", "remote-access-trojan", "resource-exploitation", "rogue-security-software", "rootkit", "screen-capture", "spyware", "trojan", "unknown", "virus", "webshell", "wiper", "worm"],
};
pub(super) const ADDRESS_FAMILY: Vocabulary = Vocabulary {
    name: "network-socket-address-family-enum",
    rule: "STIX 2.1 section 10.16",
    words: &["AF_UNSPEC", "AF_INET", "AF_IPX", "AF_APPLETALK", "AF_NETBIOS", "AF_INET6", "AF_IRDA", "AF_BTH"],
};
pub(super) const SOCKET_TYPE: Vocabulary = Vocabulary {
    name: "network-socket-type-enum",
    rule: "STIX 2.1 section 10.17",
    words: &["SOCK_STREAM", "SOCK_DGRAM", "SOCK_RAW", "SOCK_RDM", "SOCK_SEQPACKET"],
};
pub(super) const OPINION: Vocabulary = Vocabulary {
    name: "opinion-enum",
    rule: "STIX 2.1 section 10.18",
    words: &["strongly-disagree", "disagree", "neutral", "agree", "strongly-agree"],
};
pub(super) const PATTERN_TYPE: Vocabulary = Vocabulary {
    name: "pattern-type-ov",
    rule: "STIX 2.1 section 10.19",
    words: &["stix", "pcre", "sigma", "snort", "suricata", "yara"],
};
pub(super) const PROCESSOR_ARCHITECTURE: Vocabulary = Vocabulary {
    name: "processor-architecture-ov",
    rule: "STIX 2.1 section 10.20",
    words: &["alpha", "arm", "ia-64", "mips", "powerpc", "sparc", "x86", "x86-64"],
};
pub(super) const REGION: Vocabulary = Vocabulary {
    name: "region-ov",
    rule: "STIX 2.1 section 10.21",
    words: &["africa", "eastern-africa", "middle-africa", "northern-africa", "southern-africa", "western-africa", "americas", "latin-america-caribbean", "south-america", "caribbean", "central-america", "northern-america", "asia", "central-asia", "eastern-asia", "southern-asia", "south-eastern-asia", "western-asia", "europe", "eastern-europe", "northern-europe", "southern-europe", "western-europe", "oceania", "antarctica", "australia-new-zealand", "melanesia", "micronesia", "polynesia"],
};
pub(super) const REPORT_TYPE: Vocabulary = Vocabulary {
    name: "report-type-ov",
    rule: "STIX 2.1 section 10.22",
    words: &["attack-pattern", "campaign", "identity", "indicator", "intrusion-set", "malware", "observed-data", "threat-actor", "threat-report", "tool", "vulnerability"],
};
pub(super) const THREAT_ACTOR_TYPE: Vocabulary = Vocabulary {
    name: "threat-actor-type-ov",
    rule: "STIX 2.1 section 10.23",
    words: &["activist", "competitor", "crime-syndicate", "criminal", "hacker", "insider-accidental", "insider-disgruntled", "nation-state", "sensationalist", "spy", "terrorist", "unknown"],
};
pub(super) const THREAT_ACTOR_ROLE: Vocabulary = Vocabulary {
    name: "threat-actor-role-ov",
    rule: "STIX 2.1 section 10.24",
    words: &["agent", "director", "independent", "infrastructure-architect", "infrastructure-operator", "malware-author", "sponsor"],
};
pub(super) const THREAT_ACTOR_SOPHISTICATION: Vocabulary = Vocabulary {
    name: "threat-actor-sophistication-ov",
    rule: "STIX 2.1 section 10.25",
    words: &["none", "minimal", "intermediate", "advanced", "expert", "innovator", "strategic"],
};
pub(super) const TOOL_TYPE: Vocabulary = Vocabulary {
    name: "tool-type-ov",
    rule: "STIX 2.1 section 10.26",
    words: &["denial-of-service", "exploitation", "information-gathering", "network-capture", "credential-exploitation", "remote-access", "vulnerability-scanning", "unknown"],
};
pub(super) const INTEGRITY_LEVEL: Vocabulary = Vocabulary {
    name: "windows-integrity-level-enum",
    rule: "STIX 2.1 section 10.27",
    words: &["low", "medium", "high", "system"],
};
pub(super) const PEBINARY_TYPE: Vocabulary = Vocabulary {
    name: "windows-pebinary-type-ov",
    rule: "STIX 2.1 section 10.28",
    words: &["dll", "exe", "sys"],
};
pub(super) const REGISTRY_DATATYPE: Vocabulary = Vocabulary {
    name: "windows-registry-datatype-enum",
    rule: "STIX 2.1 section 10.29",
    words: &["REG_NONE", "REG_SZ", "REG_EXPAND_SZ", "REG_BINARY", "REG_DWORD", "REG_DWORD_BIG_ENDIAN", "REG_DWORD_LITTLE_ENDIAN", "REG_LINK", "REG_MULTI_SZ", "REG_RESOURCE_LIST", "REG_FULL_RESOURCE_DESCRIPTION", "REG_RESOURCE_REQUIREMENTS_LIST", "REG_QWORD", "REG_INVALID_TYPE"],
};
pub(super) const SERVICE_START_TYPE: Vocabulary = Vocabulary {
    name: "windows-service-start-type-enum",
    rule: "STIX 2.1 section 10.30",
    words: &["SERVICE_AUTO_START", "SERVICE_BOOT_START", "SERVICE_DEMAND_START", "SERVICE_DISABLED", "SERVICE_SYSTEM_ALERT"],
};
pub(super) const SERVICE_TYPE: Vocabulary = Vocabulary {
    name: "windows-service-type-enum",
    rule: "STIX 2.1 section 10.31",
    words: &["SERVICE_KERNEL_DRIVER", "SERVICE_FILE_SYSTEM_DRIVER", "SERVICE_WIN32_OWN_PROCESS", "SERVICE_WIN32_SHARE_PROCESS"],
};
pub(super) const SERVICE_STATUS: Vocabulary = Vocabulary {
    name: "windows-service-status-enum",
    rule: "STIX 2.1 section 10.32",
    words: &["SERVICE_CONTINUE_PENDING", "SERVICE_PAUSE_PENDING", "SERVICE_PAUSED", "SERVICE_RUNNING", "SERVICE_START_PENDING", "SERVICE_STOP_PENDING", "SERVICE_STOPPED"],
};
