import java.net.InetAddress;
import java.net.UnknownHostException;

/** The addresses that Java has for each name, one name a line: "name address address", or "name: unknown". */
class Resolve {
  public static void main(String[] names) {
    for (String name : names) {
      StringBuilder line = new StringBuilder(name);
      try {
        for (InetAddress address : InetAddress.getAllByName(name)) line.append(' ').append(address.getHostAddress());
      } catch (UnknownHostException e) {
        line.append(": unknown");
      }
      System.out.println(line);
    }
  }
}
