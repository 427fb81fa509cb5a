package serve

import (
	"net/http"
	"net/netip"
	"strconv"
	"sync"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"golang.org/x/time/rate"
)

// metrics has no label that a client can choose: routes are patterns, codes
// are ours.
type metrics struct {
	reg      *prometheus.Registry
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	faults   *prometheus.CounterVec
}

func newMetrics(role string) *metrics {
	prefix := "kinpass_" + role + "_"
	m := &metrics{
		reg:      prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: prefix + "requests_total", Help: "Requests by route, method and status."}, []string{"route", "method", "status"}),
		seconds:  prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: prefix + "request_seconds", Help: "Time to answer, in seconds.", Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5}}, []string{"route"}),
		faults:   prometheus.NewCounterVec(prometheus.CounterOpts{Name: prefix + "faults_total", Help: "Refusals and failures by code."}, []string{"code"}),
	}
	m.reg.MustRegister(m.requests, m.seconds, m.faults, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

func (m *metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.reg, promhttp.HandlerOpts{})
}

func (m *metrics) fault(code string) { m.faults.WithLabelValues(code).Inc() }

// Registry is where a role adds metrics of its own.
func (s *Server) Registry() *prometheus.Registry { return s.m.reg }

// observe counts and logs every request once, after it was answered.
func (s *Server) observe(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		start := time.Now()
		if err := next(c); err != nil {
			s.Echo.HTTPErrorHandler(err, c)
		}
		route, took := c.Path(), time.Since(start)
		if route == "" {
			route = "none"
		}
		status := c.Response().Status
		s.m.requests.WithLabelValues(route, method(c.Request().Method), strconv.Itoa(status)).Inc()
		s.m.seconds.WithLabelValues(route).Observe(took.Seconds())
		s.cfg.Log.Debug("request", "role", s.cfg.Role, "route", route, "method", method(c.Request().Method), "status", status, "ms", took.Milliseconds())
		return nil
	}
}

// method bounds what a client can put into a label.
func method(m string) string {
	switch m {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return m
	}
	return "other"
}

// Limit allows each client address n requests per period, in bursts of n. It
// remembers at most 10,000 addresses and forgets all when there are more. Of an
// IPv6 address the network counts: a household has 2^64 of them.
func (s *Server) Limit(n int, per time.Duration) echo.MiddlewareFunc {
	var mu sync.Mutex
	seen := map[string]*rate.Limiter{}
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			mu.Lock()
			from := network(c.RealIP())
			l := seen[from]
			if l == nil {
				if len(seen) >= 10_000 {
					clear(seen)
				}
				l = rate.NewLimiter(rate.Limit(float64(n)/per.Seconds()), n)
				seen[from] = l
			}
			ok := l.AllowN(s.cfg.Now(), 1)
			mu.Unlock()
			if !ok {
				return ErrTooMany
			}
			return next(c)
		}
	}
}

// network gives what a client cannot change of its address by itself.
func network(address string) string {
	ip, err := netip.ParseAddr(address)
	if err != nil || ip.Unmap().Is4() {
		return address
	}
	n, err := ip.WithZone("").Prefix(64)
	if err != nil {
		return address
	}
	return n.String()
}
