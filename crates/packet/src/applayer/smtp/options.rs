//! Settings under `app-layer.protocols.smtp`.

use crate::settings::Settings;

/// What is done with mails.
#[derive(Debug, Clone)]
pub struct Options {
    /// Take mails apart.
    pub decode_mime: bool,
    /// Decode parts in Base64; their files are empty without.
    pub decode_base64: bool,
    /// Decode quoted-printable parts; their files are empty without.
    pub decode_quoted_printable: bool,
    /// Longest value of a header line that passes without an anomaly, bytes.
    pub header_value_depth: usize,
    /// The schemes of the URLs looked for in texts, lower case, with `://`; none when they are not
    /// wanted.
    pub url_schemes: Vec<Vec<u8>>,
    /// Keep the scheme with each URL.
    pub log_url_scheme: bool,
    /// Work out the MD5 of the body.
    pub body_md5: bool,
    /// Make one file of each mail as it was sent; only where it is not taken apart.
    pub raw_extraction: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            decode_mime: true,
            decode_base64: true,
            decode_quoted_printable: true,
            header_value_depth: 2000,
            url_schemes: vec![b"http://".to_vec()],
            log_url_scheme: false,
            body_md5: false,
            raw_extraction: false,
        }
    }
}

impl Options {
    /// From the settings; what they do not say is as in [`Options::default`].
    #[must_use]
    pub fn from_settings(settings: &Settings) -> Self {
        let smtp = settings.at("app-layer.protocols.smtp");
        let mime = smtp.at("mime");
        let default = Self::default();
        let flag = |name: &str, default: bool| mime.at(name).flag().unwrap_or(default);
        let schemes = mime.at("extract-urls-schemes");
        let schemes: Vec<Vec<u8>> = schemes
            .items()
            .filter_map(|scheme| scheme.text())
            .take(URL_SCHEMES_MAX)
            .map(|scheme| format!("{}://", scheme.to_ascii_lowercase()).into_bytes())
            .collect();
        let depth = mime.at("header-value-depth").bytes();
        let decode_mime = flag("decode-mime", default.decode_mime);
        Self {
            decode_mime,
            decode_base64: flag("decode-base64", default.decode_base64),
            decode_quoted_printable: flag(
                "decode-quoted-printable",
                default.decode_quoted_printable,
            ),
            header_value_depth: depth
                .and_then(|depth| usize::try_from(depth).ok())
                .unwrap_or(default.header_value_depth),
            url_schemes: match (flag("extract-urls", true), schemes.is_empty()) {
                (false, _) => Vec::new(),
                (true, true) => default.url_schemes,
                (true, false) => schemes,
            },
            log_url_scheme: flag("log-url-scheme", default.log_url_scheme),
            body_md5: flag("body-md5", default.body_md5),
            raw_extraction: !decode_mime
                && smtp
                    .at("raw-extraction")
                    .flag()
                    .unwrap_or(default.raw_extraction),
        }
    }
}

/// Most schemes of URLs.
const URL_SCHEMES_MAX: usize = 16;
