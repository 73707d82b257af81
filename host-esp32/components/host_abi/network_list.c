// See network_list.h. Entries are kept in the form and the order in which they leave: a list is
// made once in a while, and has some tens of them.

#include "network_list.h"

#include <string.h>

/* RSSI, is open, bytes of the name. */
enum { HEAD_BYTES = 3, AT_OPEN = 1, AT_NAME_SIZE = 2 };

static uint32_t entry_size(const uint8_t *entry) { return HEAD_BYTES + entry[AT_NAME_SIZE]; }

static void remove_at(struct network_list *list, uint32_t at) {
  const uint32_t size = entry_size(list->bytes + at);
  memmove(list->bytes + at, list->bytes + at + size, list->size - at - size);
  list->size -= size;
  list->count--;
}

/* Where the entry of this name is; the size of the list when there is none. */
static uint32_t find_name(const struct network_list *list, const uint8_t *name, uint32_t size) {
  uint32_t at = 0;
  while (at < list->size && !(list->bytes[at + AT_NAME_SIZE] == size &&
                              memcmp(list->bytes + at + HEAD_BYTES, name, size) == 0)) {
    at += entry_size(list->bytes + at);
  }
  return at;
}

/* Where a network of this strength goes: behind those that are as strong. */
static uint32_t find_place(const struct network_list *list, int8_t rssi_dbm) {
  uint32_t at = 0;
  while (at < list->size && (int8_t)list->bytes[at] >= rssi_dbm) {
    at += entry_size(list->bytes + at);
  }
  return at;
}

/* Drops the weakest behind this place until there is room for size bytes; false when there cannot
 * be: then what is there is stronger, and stays. */
static bool make_room(struct network_list *list, uint32_t place, uint32_t size) {
  if (size > sizeof list->bytes - place) {
    return false;
  }
  while (size > sizeof list->bytes - list->size) {
    uint32_t last = place;
    while (last + entry_size(list->bytes + last) < list->size) {
      last += entry_size(list->bytes + last);
    }
    remove_at(list, last);
  }
  return true;
}

void network_list_add(struct network_list *list, int8_t rssi_dbm, bool is_open,
                      const uint8_t *name, uint32_t name_size) {
  if (name_size == 0 || name_size > HOST_SSID_BYTES_MAX) {
    return;
  }
  const uint32_t same = find_name(list, name, name_size);
  if (same < list->size && (int8_t)list->bytes[same] >= rssi_dbm) {
    return;
  }
  if (same < list->size) {
    remove_at(list, same);
  }
  const uint32_t place = find_place(list, rssi_dbm);
  const uint32_t size = HEAD_BYTES + name_size;
  if (!make_room(list, place, size)) {
    return;
  }
  uint8_t *entry = list->bytes + place;
  memmove(entry + size, entry, list->size - place);
  entry[0] = (uint8_t)rssi_dbm;
  entry[AT_OPEN] = is_open;
  entry[AT_NAME_SIZE] = (uint8_t)name_size;
  memcpy(entry + HEAD_BYTES, name, name_size);
  list->size += size;
  list->count++;
}
