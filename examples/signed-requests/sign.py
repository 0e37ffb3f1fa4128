"""Signs the URL of a WebSocket for `authenticate: - signed_request` (RFC 9421), with nothing but the standard library.

usage: sign.py KEY.jwks wss://chat.example.com/ws?room=7      a URL to connect to, good for one connection, soon
       sign.py --headers KEY.jwks wss://chat.example.com/ws   two header lines instead
KEY.jwks is what `sallyport keys new --client NAME --algorithm HS256 --clients FILE --out KEY.jwks` wrote.
"""

import base64, hashlib, hmac, json, secrets, sys, time, urllib.parse


def sign(jwk: dict, url: str) -> tuple[str, bytes]:
    """What is signed and when, and the signature. Host and path must be in their normal form, the port only there where it is not the usual one."""
    at = urllib.parse.urlsplit(url)
    signed = (f'("@method" "@authority" "@path" "@query");created={int(time.time())};'
              f'nonce="{secrets.token_urlsafe(12)}";keyid="{jwk["kid"]}";tag="sallyport"')
    base = (f'"@method": GET\n"@authority": {at.netloc.lower()}\n"@path": {at.path or "/"}\n'
            f'"@query": ?{at.query}\n"@signature-params": {signed}')
    key = base64.urlsafe_b64decode(jwk["k"] + "=" * (-len(jwk["k"]) % 4))
    return signed, hmac.new(key, base.encode(), hashlib.sha256).digest()


def as_headers(signed: str, mac: bytes) -> list[str]:
    return [f"Signature-Input: sallyport={signed}", f"Signature: sallyport=:{base64.b64encode(mac).decode()}:"]


def as_url(url: str, signed: str, mac: bytes) -> str:
    parameters = {"sp-signature-input": signed, "sp-signature": base64.urlsafe_b64encode(mac).decode().rstrip("=")}
    return url + ("&" if "?" in url else "?") + urllib.parse.urlencode(parameters, quote_via=urllib.parse.quote)


if __name__ == "__main__":
    *options, key_file, url = sys.argv[1:]
    made = sign(json.load(open(key_file))["keys"][0], url)
    print("\n".join(as_headers(*made)) if options == ["--headers"] else as_url(url, *made))
