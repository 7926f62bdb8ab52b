import java.io.OutputStream;
import java.net.HttpURLConnection;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;

/**
 * Gets URLs with both HTTP clients that come with Java, neither told of a proxy, and posts BODY to
 * each where that is set. Prints the statuses, or why there is none.
 *
 * <p>Arguments: the URLs.
 */
public final class Get {
    private static final HttpClient CLIENT = HttpClient.newHttpClient();

    public static void main(String[] urls) throws Exception {
        String body = System.getenv("BODY");
        for (String url : urls) {
            report(url, () -> byClient(url, null));
            report(url, () -> byConnection(url, null));
            if (body != null) {
                report(url, () -> byClient(url, body));
                report(url, () -> byConnection(url, body));
            }
        }
        System.exit(0);
    }

    private static int byClient(String url, String body) throws Exception {
        HttpRequest.Builder request = HttpRequest.newBuilder(URI.create(url));
        if (body != null) {
            request.header("Content-Type", "application/json").POST(BodyPublishers.ofString(body));
        }
        return CLIENT.send(request.build(), BodyHandlers.ofString()).statusCode();
    }

    private static int byConnection(String url, String body) throws Exception {
        var connection = (HttpURLConnection) URI.create(url).toURL().openConnection();
        if (body != null) {
            connection.setDoOutput(true);
            connection.setRequestProperty("Content-Type", "application/json");
            try (OutputStream output = connection.getOutputStream()) {
                output.write(body.getBytes(StandardCharsets.UTF_8));
            }
        }
        return connection.getResponseCode();
    }

    private interface Request {
        int send() throws Exception;
    }

    private static void report(String url, Request request) {
        try {
            System.out.println(request.send());
        } catch (Exception failure) {
            System.out.println(url + ": " + failure);
        }
    }
}
