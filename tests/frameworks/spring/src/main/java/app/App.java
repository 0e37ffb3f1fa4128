package app;

import com.fasterxml.jackson.databind.ObjectMapper;
import jakarta.servlet.http.HttpSession;
import java.security.Principal;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.SpringBootApplication;
import org.springframework.boot.web.servlet.context.ServletWebServerInitializedEvent;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.context.annotation.Profile;
import org.springframework.context.event.EventListener;
import org.springframework.data.redis.serializer.GenericJackson2JsonRedisSerializer;
import org.springframework.data.redis.serializer.RedisSerializer;
import org.springframework.security.config.annotation.web.builders.HttpSecurity;
import org.springframework.security.core.userdetails.User;
import org.springframework.security.core.userdetails.UserDetailsService;
import org.springframework.security.jackson2.SecurityJackson2Modules;
import org.springframework.security.web.SecurityFilterChain;
import org.springframework.session.data.redis.config.annotation.web.http.EnableRedisHttpSession;
import org.springframework.session.jdbc.config.annotation.web.http.EnableJdbcHttpSession;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.RestController;

/** Logs users in by a form and out again. Where the session lies is the profile: `redis` or `jdbc`. */
@SpringBootApplication
@RestController
public class App {
  public static void main(String[] arguments) {
    SpringApplication.run(App.class, arguments);
  }

  @EventListener
  public void listens(ServletWebServerInitializedEvent event) {
    System.out.println("listening " + event.getWebServer().getPort());
    System.out.flush();
  }

  @GetMapping("/visit")
  public String visit(HttpSession session) {
    session.setAttribute("visited", "yes");
    return "hello";
  }

  @GetMapping("/me")
  public String me(Principal principal) {
    return principal == null ? "" : principal.getName();
  }

  @Bean
  SecurityFilterChain security(HttpSecurity http) throws Exception {
    // Whoever tests it has no page to take a token from.
    return http.csrf(csrf -> csrf.disable())
        .authorizeHttpRequests(requests -> requests.anyRequest().permitAll())
        .formLogin(form -> form.usernameParameter("user").successHandler((request, response, who) -> response.getWriter().print("welcome")))
        .logout(out -> out.logoutSuccessHandler((request, response, who) -> response.getWriter().print("bye")))
        .build();
  }

  @Bean
  UserDetailsService users() {
    return name -> User.withUsername(name).password("{noop}").roles("USER").build();
  }

  @Configuration
  @Profile("redis")
  @EnableRedisHttpSession
  static class InRedis {
    /** JSON instead of the JDK's serialization, as Spring Session documents it for Spring Security. */
    @Bean
    RedisSerializer<Object> springSessionDefaultRedisSerializer() {
      ObjectMapper mapper = new ObjectMapper();
      mapper.registerModules(SecurityJackson2Modules.getModules(getClass().getClassLoader()));
      return new GenericJackson2JsonRedisSerializer(mapper);
    }
  }

  @Configuration
  @Profile("jdbc")
  @EnableJdbcHttpSession
  static class BehindJdbc {}
}
