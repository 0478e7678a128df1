/* The addresses that getaddrinfo has for each name, one name a line: "name address address", or "name: reason". */
#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

int main(int argc, char **argv) {
  for (int i = 1; i < argc; i++) {
    struct addrinfo hints, *first = NULL;
    memset(&hints, 0, sizeof hints);
    hints.ai_socktype = SOCK_STREAM;
    int failure = getaddrinfo(argv[i], NULL, &hints, &first);
    if (failure) {
      printf("%s: %s\n", argv[i], failure == EAI_NONAME ? "unknown" : gai_strerror(failure));
      continue;
    }
    printf("%s", argv[i]);
    for (struct addrinfo *one = first; one; one = one->ai_next) {
      char host[NI_MAXHOST];
      getnameinfo(one->ai_addr, one->ai_addrlen, host, sizeof host, NULL, 0, NI_NUMERICHOST);
      printf(" %s", host);
    }
    printf("\n");
    freeaddrinfo(first);
  }
  return 0;
}
