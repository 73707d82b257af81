// Asks the portable code of the chip's ports. Commands come as lines, fields separated by tabs:
//     check URL | resolve BASE LOCATION | head CODE LENGTH RANGE | request PRIVATE PUBLIC NAME
//     network RSSI OPEN NAME
// and answers go back as lines: of a network, how many the list has, and the list. RANGE may be "-" for none; keys and names are hexadecimal. A
// request prints "sign BYTES" and reads the signature, before its answer: bytes of the key, then
// both PEM texts in hexadecimal.

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "network_list.h"
#include "signing_request.h"
#include "url.h"

enum { LINE_BYTES = 16384, FIELDS_MAX = 4 };

static uint32_t parse_hex(const char *text, uint8_t *bytes, uint32_t bytes_max) {
  uint32_t size = 0;
  unsigned value = 0;
  while (size < bytes_max && sscanf(text + 2 * (size_t)size, "%2x", &value) == 1) {
    bytes[size++] = (uint8_t)value;
  }
  return size;
}

static void print_hex(const void *bytes, uint32_t size) {
  for (uint32_t i = 0; i < size; i++) {
    printf("%02x", ((const uint8_t *)bytes)[i]);
  }
  putchar('\n');
}

static void resolve(const char *base, const char *location) {
  char url[HOST_HTTP_URL_BYTES_MAX + 1];
  const int32_t status = url_resolve(base, location, url, sizeof url);
  printf("%" PRIi32 " %s\n", status, status == HOST_STATUS_OK ? url : "");
}

static void head(char **fields) {
  const struct http_fields in = {(uint32_t)strtoul(fields[1], NULL, 10),
                                 strtoll(fields[2], NULL, 10),
                                 strcmp(fields[3], "-") == 0 ? NULL : fields[3]};
  struct http_head out = {0, 0, 0};
  const int32_t status = http_head_of(&in, &out);
  printf("%" PRIi32 " %" PRIi32 " %" PRIu32 " %" PRIu32 "\n", status, out.body_bytes, out.position,
         out.resource_bytes);
}

static int sign(void *context, const uint8_t *bytes, uint32_t size,
                uint8_t signature[HOST_SIGNATURE_BYTES]) {
  char line[2 * HOST_SIGNATURE_BYTES + 2];
  (void)context;
  printf("sign ");
  print_hex(bytes, size);
  fflush(stdout);
  return fgets(line, sizeof line, stdin) != NULL &&
                 parse_hex(line, signature, HOST_SIGNATURE_BYTES) == HOST_SIGNATURE_BYTES
             ? 0
             : HOST_STATUS_IO_ERROR;
}

static void request(char **fields) {
  struct signing_key key = {.sign = sign};
  uint8_t name[COMMON_NAME_BYTES_MAX + 1];
  char pem[SIGNING_REQUEST_PEM_BYTES_MAX];
  uint32_t key_bytes = 0;
  parse_hex(fields[1], key.private_key, sizeof key.private_key);
  parse_hex(fields[2], key.public_key, sizeof key.public_key);
  const uint32_t size = parse_hex(fields[3], name, sizeof name);
  const int32_t bytes = signing_request_write(&key, name, size, pem, &key_bytes);
  printf("%" PRIi32 " %" PRIu32 " ", bytes, key_bytes);
  print_hex(pem, bytes > 0 ? (uint32_t)bytes : 0);
}

static void network(char **fields) {
  static struct network_list list;
  uint8_t name[HOST_SSID_BYTES_MAX + 2];
  const uint32_t size = parse_hex(fields[3], name, sizeof name);
  network_list_add(&list, (int8_t)atoi(fields[1]), fields[2][0] == '1', name, size);
  printf("%" PRIu32 " ", list.count);
  print_hex(list.bytes, list.size);
}

static void obey(char *line) {
  char *fields[FIELDS_MAX] = {line, "", "", ""};
  line[strcspn(line, "\n")] = '\0';
  for (int i = 1; i < FIELDS_MAX && fields[i - 1] != NULL; i++) {
    char *tab = strchr(fields[i - 1], '\t');
    if (tab == NULL) {
      break;
    }
    *tab = '\0';
    fields[i] = tab + 1;
  }
  if (strcmp(fields[0], "check") == 0) {
    printf("%" PRIi32 "\n", url_check(fields[1]));
  } else if (strcmp(fields[0], "resolve") == 0) {
    resolve(fields[1], fields[2]);
  } else if (strcmp(fields[0], "head") == 0) {
    head(fields);
  } else if (strcmp(fields[0], "request") == 0) {
    request(fields);
  } else if (strcmp(fields[0], "network") == 0) {
    network(fields);
  } else {
    exit(3);
  }
  fflush(stdout);
}

int main(void) {
  static char line[LINE_BYTES];
  while (fgets(line, sizeof line, stdin) != NULL) {
    obey(line);
  }
  return 0;
}
