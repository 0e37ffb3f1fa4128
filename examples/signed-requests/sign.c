/* Signs the handshake of a WebSocket for `authenticate: - signed_request` (RFC 9421) on something small: no allocation, no JSON, one HMAC.
 *     cc -o sign sign.c -lcrypto
 *     ./sign KID KEY-IN-HEX chat.example.com /ws room=7       writes two header lines for the request
 * Host in lower case and without the usual port; path in its normal form; the query as it is sent, or "". A device without libcrypto needs
 * HMAC-SHA-256, base64, a clock that is right within a minute, and 12 random bytes. */
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

int main(int argc, char **argv) {
  if (argc != 6) return fprintf(stderr, "usage: sign KID KEY-IN-HEX HOST PATH QUERY\n"), 2;
  unsigned char key[64], nonce[12], mac[EVP_MAX_MD_SIZE];
  char nonce_text[32], mac_text[64], input[384], base[1024];
  size_t key_size = 0;
  unsigned mac_size = 0;
  for (const char *hex = argv[2]; key_size < sizeof key && sscanf(hex, "%2hhx", &key[key_size]) == 1; hex += 2) ++key_size;
  if (RAND_bytes(nonce, sizeof nonce) != 1) return 1;
  EVP_EncodeBlock((unsigned char *)nonce_text, nonce, sizeof nonce);
  int size = snprintf(input, sizeof input,
                      "(\"@method\" \"@authority\" \"@path\" \"@query\");created=%lld;nonce=\"%s\";keyid=\"%s\";tag=\"sallyport\"",
                      (long long)time(NULL), nonce_text, argv[1]);
  if (size < 0 || (size_t)size >= sizeof input) return 1;
  size = snprintf(base, sizeof base, "\"@method\": GET\n\"@authority\": %s\n\"@path\": %s\n\"@query\": ?%s\n\"@signature-params\": %s",
                  argv[3], argv[4], argv[5], input);
  if (size < 0 || (size_t)size >= sizeof base) return 1;
  if (!HMAC(EVP_sha256(), key, (int)key_size, (const unsigned char *)base, (size_t)size, mac, &mac_size)) return 1;
  EVP_EncodeBlock((unsigned char *)mac_text, mac, (int)mac_size);
  printf("Signature-Input: sallyport=%s\nSignature: sallyport=:%s:\n", input, mac_text);
  return 0;
}
