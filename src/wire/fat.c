#include "wire/fat.h"

/* Layout (Microsoft FAT specification 1.03): boot sector, two copies of the table, root folder, clusters of one sector. With
 * 249 clusters the volume is FAT12 by definition. Every file gets a long-name entry for each 13 characters, last part first,
 * in front of its short entry "NAMEXX~1", tied to it by a checksum of the short name.
 *
 * When reading, sizes come from the boot sector and are checked against the image once; after that every offset is derived
 * from checked values. A chain visits each cluster at most once, so counting its steps is enough against loops. */

enum {
	SECTOR = 512,
	SECTORS = FAT_IMAGE_BYTES / SECTOR,
	ROOT_ENTRIES = 32,
	ENTRY = 32,
	LONG_PARTS_MAX = 20, /* of any volume; ours have two */
	ENTRIES_MAX = 1 + FAT_FILES_MAX * 3,
	FAT_AT = SECTOR,
	ROOT_AT = 3 * SECTOR,
	DATA_AT = ROOT_AT + ROOT_ENTRIES * ENTRY,
	CLUSTERS = (FAT_IMAGE_BYTES - DATA_AT) / SECTOR,
	DATE_1980 = 1 << 5 | 1,
	LAST = 0xfff,
	ATTR_VOLUME = 8,
	ATTR_FOLDER = 0x10,
	ATTR_LONG = 0x0f,
	ATTR_ARCHIVE = 0x20,
};

_Static_assert(ENTRIES_MAX <= ROOT_ENTRIES, "the root folder holds the label and every file");

static void le16(uint8_t *p, unsigned v)
{
	p[0] = (uint8_t)v;
	p[1] = (uint8_t)(v >> 8);
}

static void le32(uint8_t *p, uint32_t v)
{
	le16(p, v & 0xffff);
	le16(p + 2, v >> 16);
}

static void boot_sector(uint8_t *p, const uint8_t label[FAT_LABEL_LEN], uint32_t serial)
{
	static const uint8_t jump[] = { 0xeb, 0x3c, 0x90 };

	memcpy(p, jump, sizeof(jump));
	memcpy(p + 3, "MSWIN4.1", 8);
	le16(p + 11, SECTOR);
	p[13] = 1; /* sectors of a cluster */
	le16(p + 14, 1); /* reserved sectors */
	p[16] = 2; /* tables */
	le16(p + 17, ROOT_ENTRIES);
	le16(p + 19, SECTORS);
	p[21] = 0xf8;
	le16(p + 22, 1); /* sectors of a table */
	le16(p + 24, 32);
	le16(p + 26, 2);
	p[36] = 0x80;
	p[38] = 0x29;
	le32(p + 39, serial);
	memcpy(p + 43, label, FAT_LABEL_LEN);
	memcpy(p + 54, "FAT12   ", 8);
	le16(p + 510, 0xaa55);
}

static void set_link(uint8_t *table, unsigned cluster, unsigned v)
{
	uint8_t *p = table + cluster * 3 / 2;

	if (cluster & 1) {
		p[0] = (uint8_t)((p[0] & 0x0f) | v << 4);
		p[1] = (uint8_t)(v >> 4);
	} else {
		p[0] = (uint8_t)v;
		p[1] = (uint8_t)((p[1] & 0xf0) | v >> 8);
	}
}

static bool name_allowed(struct bytes name)
{
	if (name.len == 0 || name.len > FAT_NAME_MAX)
		return false;
	for (size_t i = 0; i < name.len; i++) {
		uint8_t c = name.p[i];

		if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_'))
			return false;
	}
	return true;
}

static void short_name(struct bytes name, uint8_t ret[11])
{
	memset(ret, ' ', 11);
	for (size_t i = 0; i < name.len && i < 6; i++) {
		uint8_t c = name.p[i];

		ret[i] = c >= 'a' && c <= 'z' ? (uint8_t)(c - 'a' + 'A') : c;
	}
	memcpy(ret + (name.len < 6 ? name.len : 6), "~1", 2);
}

static uint8_t checksum(const uint8_t name[11])
{
	uint8_t sum = 0;

	for (int i = 0; i < 11; i++)
		sum = (uint8_t)((sum << 7 | sum >> 1) + name[i]);
	return sum;
}

/* Where the 13 characters of a long-name entry stand in it. */
static const uint8_t long_place[13] = { 1, 3, 5, 7, 9, 14, 16, 18, 20, 22, 24, 28, 30 };

static void long_entry(uint8_t *p, struct bytes name, unsigned part, bool last, uint8_t sum)
{
	p[0] = (uint8_t)((part + 1) | (last ? 0x40 : 0));
	p[11] = ATTR_LONG;
	p[13] = sum;
	for (unsigned i = 0; i < 13; i++) {
		size_t at = part * 13 + i;

		le16(p + long_place[i], at < name.len ? name.p[at] : at == name.len ? 0 : 0xffff);
	}
}

/* Entries of one file; returns the place behind them. */
static uint8_t *file_entries(uint8_t *p, const struct fat_file *f, unsigned cluster)
{
	unsigned parts = (unsigned)(f->name.len + 12) / 13;
	uint8_t name[11];

	short_name(f->name, name);
	for (unsigned part = parts; part > 0; part--, p += ENTRY)
		long_entry(p, f->name, part - 1, part == parts, checksum(name));
	memcpy(p, name, 11);
	p[11] = ATTR_ARCHIVE;
	le16(p + 16, DATE_1980);
	le16(p + 18, DATE_1980);
	le16(p + 24, DATE_1980);
	le16(p + 26, cluster);
	le32(p + 28, (uint32_t)f->data.len);
	return p + ENTRY;
}

static bool fits(const struct fat_file *files, size_t n)
{
	size_t used = 0;

	if (n > FAT_FILES_MAX)
		return false;
	for (size_t i = 0; i < n; i++) {
		uint8_t a[11], b[11];

		if (!name_allowed(files[i].name) || files[i].data.len > FAT_IMAGE_BYTES)
			return false;
		used += (files[i].data.len + SECTOR - 1) / SECTOR;
		short_name(files[i].name, a);
		for (size_t k = 0; k < i; k++) {
			short_name(files[k].name, b);
			if (memcmp(a, b, sizeof(a)) == 0)
				return false;
		}
	}
	return used <= CLUSTERS;
}

bool fat_write(struct buf *out, const char *label, uint32_t serial, const struct fat_file *files, size_t n)
{
	uint8_t volume[FAT_LABEL_LEN], *image, *entry;
	unsigned cluster = 2;

	if (strlen(label) > FAT_LABEL_LEN || !fits(files, n))
		return false;
	image = buf_room(out, FAT_IMAGE_BYTES);
	if (!image)
		return false;
	memset(image, 0, FAT_IMAGE_BYTES);
	memset(volume, ' ', sizeof(volume));
	memcpy(volume, label, strlen(label));
	boot_sector(image, volume, serial);
	set_link(image + FAT_AT, 0, 0xff8);
	set_link(image + FAT_AT, 1, LAST);
	entry = image + ROOT_AT;
	memcpy(entry, volume, sizeof(volume));
	entry[11] = ATTR_VOLUME;
	le16(entry + 24, DATE_1980);
	entry += ENTRY;
	for (size_t i = 0; i < n; i++) {
		unsigned count = (unsigned)((files[i].data.len + SECTOR - 1) / SECTOR);

		entry = file_entries(entry, &files[i], count ? cluster : 0);
		if (count)
			memcpy(image + DATA_AT + (cluster - 2) * SECTOR, files[i].data.p, files[i].data.len);
		for (; count; count--, cluster++)
			set_link(image + FAT_AT, cluster, count > 1 ? cluster + 1 : LAST);
	}
	memcpy(image + FAT_AT + SECTOR, image + FAT_AT, SECTOR);
	buf_grew(out, FAT_IMAGE_BYTES);
	return true;
}

struct volume {
	struct bytes image;
	size_t table_at;
	size_t root_at;
	size_t data_at;
	unsigned root_entries;
	unsigned cluster_bytes;
	unsigned clusters;
};

static unsigned get16(const uint8_t *p)
{
	return (unsigned)(p[0] | p[1] << 8);
}

static bool open_volume(struct bytes image, struct volume *ret)
{
	struct volume v = { .image = image };
	unsigned sectors, reserved, tables, table_sectors;

	if (image.len < SECTOR || image.len > FAT_IMAGE_BYTES || get16(image.p + 510) != 0xaa55 ||
	    get16(image.p + 11) != SECTOR)
		return false;
	v.cluster_bytes = image.p[13] * (unsigned)SECTOR;
	reserved = get16(image.p + 14);
	tables = image.p[16];
	v.root_entries = get16(image.p + 17);
	sectors = get16(image.p + 19);
	table_sectors = get16(image.p + 22);
	if (!v.cluster_bytes || !reserved || !tables || sectors > image.len / SECTOR)
		return false;
	v.table_at = (size_t)reserved * SECTOR;
	v.root_at = v.table_at + (size_t)tables * table_sectors * SECTOR;
	v.data_at = v.root_at + (size_t)v.root_entries * ENTRY;
	if (v.data_at > (size_t)sectors * SECTOR)
		return false;
	v.clusters = (unsigned)(((size_t)sectors * SECTOR - v.data_at) / v.cluster_bytes);
	if ((size_t)table_sectors * SECTOR < ((size_t)v.clusters + 2) * 3 / 2 + 1)
		return false;
	*ret = v;
	return true;
}

static unsigned link_of(const struct volume *v, unsigned cluster)
{
	const uint8_t *p = v->image.p + v->table_at + cluster * 3 / 2;
	unsigned two = get16(p);

	return cluster & 1 ? two >> 4 : two & 0xfff;
}

static bool copy_file(const struct volume *v, const uint8_t *entry, struct buf *out)
{
	unsigned cluster = get16(entry + 26);
	size_t left = get16(entry + 28) | (size_t)get16(entry + 30) << 16, was = out->len;

	if (left > v->image.len)
		return false;
	for (unsigned steps = 0; left; steps++) {
		size_t len = left < v->cluster_bytes ? left : v->cluster_bytes;

		if (cluster < 2 || cluster - 2 >= v->clusters || steps > v->clusters ||
		    !buf_add(out, v->image.p + v->data_at + (size_t)(cluster - 2) * v->cluster_bytes, len)) {
			out->len = was;
			return false;
		}
		left -= len;
		cluster = link_of(v, cluster);
	}
	return true;
}

/* The characters of a long-name entry; false when one is outside ASCII. */
static bool long_part(const uint8_t *entry, char *ret)
{
	for (unsigned i = 0; i < 13; i++) {
		unsigned c = get16(entry + long_place[i]);

		if (c == 0)
			return true;
		if (c >= 0x80)
			return false;
		ret[i] = (char)c;
	}
	return true;
}

/* "META.TXT" in lower case, for files that have no long name. */
static void short_text(const uint8_t *entry, char *ret)
{
	for (unsigned i = 0; i < 11; i++) {
		if (i == 8 && entry[8] != ' ')
			*ret++ = '.';
		if (entry[i] != ' ')
			*ret++ = (char)(entry[i] >= 'A' && entry[i] <= 'Z' ? entry[i] | 0x20 : entry[i]);
	}
	*ret = 0;
}

enum fat_answer fat_read(struct bytes image, const char *name, struct buf *out)
{
	char text[LONG_PARTS_MAX * 13 + 1] = "";
	bool plain = true;
	struct volume v;

	if (!open_volume(image, &v))
		return FAT_MALFORMED;
	for (unsigned i = 0; i < v.root_entries; i++) {
		const uint8_t *entry = v.image.p + v.root_at + (size_t)i * ENTRY;
		unsigned part = entry[0] & 0x3f;

		if (entry[0] == 0)
			break;
		if (entry[0] != 0xe5 && entry[11] == ATTR_LONG) {
			if (entry[0] & 0x40)
				memset(text, 0, sizeof(text));
			plain = part >= 1 && part <= LONG_PARTS_MAX && long_part(entry, text + (part - 1) * 13) && plain;
			continue;
		}
		if (entry[0] != 0xe5 && !(entry[11] & (ATTR_VOLUME | ATTR_FOLDER))) {
			if (!text[0])
				short_text(entry, text);
			if (plain && strcmp(text, name) == 0)
				return copy_file(&v, entry, out) ? FAT_OK : FAT_MALFORMED;
		}
		memset(text, 0, sizeof(text));
		plain = true;
	}
	return FAT_MISSING;
}

bool fat_has_label(struct bytes image, const char *label)
{
	struct volume v;
	size_t len = strlen(label);

	if (len > FAT_LABEL_LEN || !open_volume(image, &v))
		return false;
	for (unsigned i = 0; i < v.root_entries; i++) {
		const uint8_t *entry = v.image.p + v.root_at + (size_t)i * ENTRY;

		if (entry[0] == 0)
			break;
		if (entry[11] != ATTR_VOLUME || memcmp(entry, label, len) != 0)
			continue;
		while (len < FAT_LABEL_LEN && entry[len] == ' ')
			len++;
		return len == FAT_LABEL_LEN;
	}
	return false;
}
