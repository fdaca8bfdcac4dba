/* Runs a fuzz target over every file of a folder and prints TAP: the corpus as ordinary tests. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replay(const char *folder, const char *name, int n)
{
	char path[4096];
	uint8_t *data;
	FILE *f;
	long size;

	(void)snprintf(path, sizeof(path), "%s/%s", folder, name);
	f = fopen(path, "rb");
	if (!f || fseek(f, 0, SEEK_END) || (size = ftell(f)) < 0 || fseek(f, 0, SEEK_SET))
		return 1;
	data = malloc((size_t)size + 1);
	if (!data || fread(data, 1, (size_t)size, f) != (size_t)size)
		return 1;
	(void)fclose(f);
	(void)LLVMFuzzerTestOneInput(data, (size_t)size);
	free(data);
	printf("ok %d - %s\n", n, name);
	return 0;
}

int main(int argc, char **argv)
{
	struct dirent *d;
	DIR *dir = argc == 2 ? opendir(argv[1]) : NULL;
	int n = 0;
	int bad = 0;

	if (!dir) {
		(void)fprintf(stderr, "usage: REPLAY FOLDER\n");
		return 2;
	}
	while ((d = readdir(dir)) != NULL)
		if (d->d_name[0] != '.')
			bad += replay(argv[1], d->d_name, ++n);
	(void)closedir(dir);
	printf("1..%d\n", n);
	return bad != 0;
}
