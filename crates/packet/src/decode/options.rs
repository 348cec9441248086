//! What the settings say of decoding.

use crate::settings::{Setting, Settings};

/// Most ports of one kind of tunnel.
pub const PORTS_MAX: usize = 4;

/// What the decoder looks for.
#[derive(Debug, Clone)]
pub struct Options {
    /// Most layers of a packet, all packets around it included (`decoder.max-layers`).
    pub layers_max: u8,
    /// UDP ports of VXLAN; `None`: not looked for.
    pub vxlan: Option<Ports>,
    /// UDP ports of Geneve; `None`: not looked for.
    pub geneve: Option<Ports>,
    /// UDP ports of Teredo; `None`: not looked for.
    pub teredo: Option<Ports>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            layers_max: LAYERS_MAX,
            vxlan: Some(Ports::of(4789)),
            geneve: Some(Ports::of(6081)),
            teredo: Some(Ports::of(3544)),
        }
    }
}

impl Options {
    /// From `decoder` of the settings; what they do not say is as in [`Options::default`].
    #[must_use]
    pub fn from_settings(settings: &Settings) -> Self {
        let decoder = settings.at("decoder");
        let default = Self::default();
        let ports = |name: &str, default: Option<Ports>| {
            let tunnel = decoder.at(name);
            let ports = Ports::read(settings, tunnel.at("ports")).or(default);
            ports.filter(|_| tunnel.at("enabled").flag().unwrap_or(true))
        };
        let layers_max = decoder.at("max-layers").number();
        Self {
            layers_max: layers_max
                .and_then(|number| u8::try_from(number).ok())
                .unwrap_or(default.layers_max),
            vxlan: ports("vxlan", default.vxlan),
            geneve: ports("geneve", default.geneve),
            teredo: ports("teredo", default.teredo),
        }
    }
}

/// A few UDP ports, or any.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ports {
    /// Every port.
    Any,
    /// These; 0 stands for none.
    These([u16; PORTS_MAX]),
}

impl Ports {
    /// One port.
    #[must_use]
    pub fn of(port: u16) -> Self {
        Self::These([port, 0, 0, 0])
    }

    /// Whether a port is one of them.
    #[must_use]
    pub fn has(&self, port: u16) -> bool {
        match self {
            Self::Any => true,
            Self::These(ports) => port != 0 && ports.contains(&port),
        }
    }

    /// `4789`, `[3544, 1234]`, `any`, a list, or a name from `vars.port-groups`; ports beyond
    /// [`PORTS_MAX`] are left out.
    fn read(settings: &Settings, setting: Setting<'_>) -> Option<Self> {
        let text = setting.text().unwrap_or_default();
        let named = text
            .strip_prefix('$')
            .map(|name| settings.at("vars.port-groups").at(name));
        let setting = named.unwrap_or(setting);
        if setting.text().is_some_and(|text| text.trim() == "any") {
            return Some(Self::Any);
        }
        let mut ports = [0; PORTS_MAX];
        let texts = setting.items().filter_map(Setting::text);
        let numbers = texts
            .flat_map(|text| text.split([',', '[', ']', ' ']))
            .filter_map(|text| text.parse::<u16>().ok());
        for (place, number) in ports.iter_mut().zip(numbers) {
            *place = number;
        }
        (ports != [0; PORTS_MAX]).then_some(Self::These(ports))
    }
}

const LAYERS_MAX: u8 = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_written_in_many_ways() {
        let yaml = "vars:\n  port-groups:\n    VXLAN_PORTS: 8472\ndecoder:\n  max-layers: 4\n  vxlan:\n    \
            enabled: true\n    ports: $VXLAN_PORTS\n  teredo:\n    ports: '[3544, 1234]'\n  geneve:\n    enabled: false\n";
        let options = Options::from_settings(&Settings::parse(yaml).unwrap());
        assert_eq!(options.layers_max, 4);
        assert_eq!(options.vxlan, Some(Ports::of(8472)));
        assert_eq!(options.teredo, Some(Ports::These([3544, 1234, 0, 0])));
        assert_eq!(options.geneve, None);
        let any = Settings::parse("decoder:\n  teredo:\n    ports: any\n").unwrap();
        assert!(Options::from_settings(&any).teredo.unwrap().has(53));
    }
}
