import java.net.HttpURLConnection;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;

/**
 * Gets a URL with both HTTP clients that come with Java, neither told of a proxy. Prints the
 * statuses.
 *
 * <p>Argument: the URL.
 */
public final class Get {
    public static void main(String[] arguments) throws Exception {
        URI url = URI.create(arguments[0]);
        HttpRequest request = HttpRequest.newBuilder(url).build();
        System.out.println(HttpClient.newHttpClient().send(request, BodyHandlers.ofString()).statusCode());
        System.out.println(((HttpURLConnection) url.toURL().openConnection()).getResponseCode());
    }
}
