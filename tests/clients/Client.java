import java.net.InetSocketAddress;
import java.net.ProxySelector;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse.BodyHandlers;
import java.util.List;

/**
 * Sends three requests with the HTTP client that comes with Java, its settings untouched but for
 * the proxy.
 *
 * <p>Arguments: URL to GET, URL to POST to, JSON to post, URL to GET. The proxy is in http_proxy.
 */
public final class Client {
    public static void main(String[] arguments) throws Exception {
        URI proxy = URI.create(System.getenv("http_proxy"));
        InetSocketAddress address = new InetSocketAddress(proxy.getHost(), proxy.getPort());
        HttpClient client = HttpClient.newBuilder().proxy(ProxySelector.of(address)).build();

        List<HttpRequest> requests = List.of(
            HttpRequest.newBuilder(URI.create(arguments[0])).build(),
            HttpRequest.newBuilder(URI.create(arguments[1]))
                .header("Content-Type", "application/json")
                .POST(BodyPublishers.ofString(arguments[2]))
                .build(),
            HttpRequest.newBuilder(URI.create(arguments[3])).build());

        boolean good = true;
        for (HttpRequest request : requests) {
            var answer = client.send(request, BodyHandlers.ofString());
            System.out.println(answer.statusCode());
            if (answer.statusCode() != 200) {
                System.err.println(answer.body());
                good = false;
            }
        }
        System.exit(good ? 0 : 1);
    }
}
