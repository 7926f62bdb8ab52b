// Speaks TLS to 127.0.0.1 as each of the arguments says, NAME=PORT, and says whether it would send a
// request there: whether the certificate is trusted, and for that name.

import java.net.Socket;
import javax.net.ssl.SSLException;
import javax.net.ssl.SSLParameters;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.SSLSocketFactory;

public class Trust {
    public static void main(String[] servers) throws Exception {
        SSLSocketFactory factory = (SSLSocketFactory) SSLSocketFactory.getDefault();
        for (String server : servers) {
            String name = server.substring(0, server.lastIndexOf('='));
            int port = Integer.parseInt(server.substring(name.length() + 1));
            try (Socket raw = new Socket("127.0.0.1", port);
                    SSLSocket tls = (SSLSocket) factory.createSocket(raw, name, port, true)) {
                raw.setSoTimeout(60_000);
                SSLParameters parameters = tls.getSSLParameters();
                parameters.setEndpointIdentificationAlgorithm("HTTPS");
                tls.setSSLParameters(parameters);
                tls.startHandshake();
                System.out.println("accepted");
            } catch (SSLException refused) {
                Throwable cause = refused;
                while (cause.getCause() != null) {
                    cause = cause.getCause();
                }
                System.out.println("refused: " + cause.getMessage());
            }
        }
    }
}
